// House measures how easy the tree is to read, and prints the figures as a table in
// Markdown: the size of functions and files, paragraphs, names, packed lines, odd English
// and the length of the ingest path. TestHouse holds the tree to the limits in limits.go.
//
//	go run ./scripts/house                          # the table
//	go run ./scripts/house -v internal/ingest       # each place, below that path only
//	go run ./scripts/house -v -only idioms docs     # the places of one figure
//
// Code is every Go file of every module here that is neither a test nor generated.
// Folders named testdata, bin or node_modules, and hidden ones, are left out.
package main
