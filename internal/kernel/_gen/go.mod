module github.com/goclip/goclip/internal/kernel/_gen

go 1.24.0
