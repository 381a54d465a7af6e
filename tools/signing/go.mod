module temper/tools/signing

go 1.26
