module github.com/the-eye-events/the-eye/examples/shop

go 1.25.0

require github.com/the-eye-events/the-eye/client v0.0.0

replace github.com/the-eye-events/the-eye/client => ../../client
