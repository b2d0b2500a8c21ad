package main

import (
	"fmt"
	"io"
	"strings"
)

// printTable prints the figures and their limits as a table in Markdown.
func printTable(out io.Writer, figures []figure, limits []limit) {
	byKey := map[string]string{}
	for _, limit := range limits {
		byKey[limit.key] = limit.String()
	}

	fmt.Fprintln(out, "| Figure | Here | Limit |")
	fmt.Fprintln(out, "| --- | --- | --- |")
	for _, figure := range figures {
		fmt.Fprintf(out, "| %s | %s | %s |\n", figure.title, figure.text, byKey[figure.key])
	}
}

// printPlaces prints the places behind the figures whose key begins with a text.
func printPlaces(out io.Writer, figures []figure, prefix string) {
	for _, figure := range figures {
		if len(figure.places) == 0 || !strings.HasPrefix(figure.key, prefix) {
			continue
		}

		fmt.Fprintf(out, "%s: %s (%s)\n", figure.key, figure.title, figure.text)
		for _, place := range figure.places {
			fmt.Fprintf(out, "  %s\n", place)
		}
		fmt.Fprintln(out)
	}
}
