package main

import (
	"bytes"
	"fmt"
)

// quoteLine returns a line of a file with its place.
func quoteLine(file *goFile, line int) string {
	text := bytes.Split(file.source, []byte("\n"))[line-1]

	return fmt.Sprintf("%s:%d: %s", file.path, line, bytes.TrimSpace(text))
}
