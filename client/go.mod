module github.com/the-eye-events/the-eye/client

go 1.25.0
