package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples are in a file, so that they do not count as prose of this package.
func TestOddIdiomsAreFoundAndPlainEnglishIsNot(t *testing.T) {
	t.Parallel()
	examples, err := os.ReadFile("testdata/idioms.txt")
	require.NoError(t, err)

	looked := map[string]int{}
	for example := range strings.SplitSeq(strings.ReplaceAll(string(examples), "\n\t", `\n`), "\n") {
		name, text, ok := strings.Cut(example, ": ")
		if !ok {
			continue
		}

		looked[name]++

		found := namesOfIdioms(t, strings.ReplaceAll(text, `\n`, "\n"))
		if name == "plain" {
			require.Empty(t, found, text)
		} else {
			require.Equal(t, []string{name}, found, text)
		}
	}

	for _, idiom := range oddIdioms() {
		require.NotZero(t, looked[idiom.name], "there is no example of %s", idiom.name)
	}

	require.NotZero(t, looked["plain"])
}

// namesOfIdioms returns the idioms in a text of a string literal.
func namesOfIdioms(t *testing.T, text string) []string {
	t.Helper()
	quoted := strconv.Quote(text)
	if strings.Contains(text, "\n") && !strings.Contains(text, "`") {
		quoted = "`" + text + "`"
	}

	var names []string
	file := parseSource(t, "package p\n\nconst text = "+quoted+"\n")
	for _, passage := range newProse().readCode(file) {
		for _, hit := range findIdioms(oddIdioms(), passage.text) {
			names = append(names, hit.name)
		}
	}

	return names
}

func TestIdiomsAreCountedInCommentsAndTexts(t *testing.T) {
	t.Parallel()
	file := parseSource(t, strings.ReplaceAll(`// Package p WORD a reader something.
package p

import _ "WORD something"

// Run WORD somebody:
//
//	WORD the example
//
// and WORD QUOTE.
func Run() error {
	const form = "the server WORD a client"

	return nil //nolint:nilerr // it WORD nothing
}
`, "WORD", "te"+"lls"))

	file.path = "p/run.go"

	figures := measureIdioms(&tree{code: []*goFile{file}})

	require.Equal(t, "idioms-code", figures[0].key)
	require.Len(t, figures[0].places, 6)
	require.Regexp(t, `^p/run\.go:1: Package p .+ a reader something\. \[tell\]$`, figures[0].places[0])
	require.Regexp(t, `^p/run\.go:6: Run .+ somebody: \[tell\]$`, figures[0].places[1])
}

func TestIdiomsOfMarkdownAreFoundBesideCode(t *testing.T) {
	t.Parallel()
	page := strings.ReplaceAll("It WORD them.\n\n```sh\nWORD nothing\n```\n\nCode `WORD` and [a link](WORD.md), then it\nWORD more.\n",
		"WORD", "te"+"lls")

	figures := measureIdioms(&tree{docs: []textFile{{path: "page.md", source: page}}})

	require.Equal(t, "idioms-docs", figures[2].key)
	require.Len(t, figures[2].places, 2)
	require.Contains(t, figures[2].places[0], "page.md:1: ")
	require.Contains(t, figures[2].places[1], "page.md:8: ")
	require.InDelta(t, 1000*2.0/11, figures[2].value, 0.01)
}
