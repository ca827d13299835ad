module github.com/sojourn-go/sojourn/servers

go 1.26.0
