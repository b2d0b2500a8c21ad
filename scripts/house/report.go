package main

import (
	"fmt"
	"strings"
)

// tableOf returns the figures and their limits as a table in Markdown.
func tableOf(figures []figure, limits []limit) string {
	byKey := map[string]string{}
	for _, limit := range limits {
		byKey[limit.key] = limit.String()
	}

	rows := []string{"| Figure | Here | Limit |", "| --- | --- | --- |"}
	for _, figure := range figures {
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", figure.title, figure.text, byKey[figure.key]))
	}

	return strings.Join(rows, "\n") + "\n"
}

// listPlaces returns the places behind the figures whose key begins with a text.
func listPlaces(figures []figure, prefix string) string {
	var lines []string
	for _, figure := range figures {
		if len(figure.places) == 0 || !strings.HasPrefix(figure.key, prefix) {
			continue
		}

		lines = append(lines, fmt.Sprintf("%s: %s (%s)", figure.key, figure.title, figure.text))
		for _, place := range figure.places {
			lines = append(lines, "  "+place)
		}

		lines = append(lines, "")
	}

	return strings.Join(lines, "\n") + "\n"
}
