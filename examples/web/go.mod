module example.com/temper/web

go 1.26.1
