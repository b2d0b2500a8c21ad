package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tree stays as easy to read as it is. When a figure improves, its limit follows.
func TestHouse(t *testing.T) {
	t.Parallel()
	measured, err := readTree("../..", nil)
	require.NoError(t, err)
	figures, err := measureTree(measured)
	require.NoError(t, err)

	for _, limit := range houseLimits() {
		figure := figureOf(t, figures, limit.key)
		if !limit.isKept(figure.value) {
			t.Errorf("%s: %s, want %s; make house ARGS=\"-v -only %s\" prints the places:\n%s",
				figure.title, figure.text, limit, figure.key, strings.Join(figure.places[:min(len(figure.places), 20)], "\n"))
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	var out strings.Builder

	require.NoError(t, run([]string{"-root", "../..", "-v", "-only", "size", "scripts/house"}, &out))
	require.Regexp(t, `(?m)^\| lines of code, files \| \d+, \d+ \|`, out.String())
	require.NotContains(t, out.String(), "ingest path", "a part of the tree has no such figure")

	require.ErrorContains(t, run([]string{"-root", "nowhere"}, &out), "read the tree")
}
