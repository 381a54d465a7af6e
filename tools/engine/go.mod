module temper/tools/engine

go 1.26
