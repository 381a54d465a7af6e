module example.com/temper/worker

go 1.26.1

require golang.org/x/sync v0.24.0
