package charts_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// chartPage is the page of the chart.
const chartPage = "the-eye/README.md"

// The chart's README lists every value with its comment in values.yaml. `make docs`
// writes it.
func TestChartIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("the-eye/values.yaml")
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(text, &document))
	var b strings.Builder
	b.WriteString("# The Eye's Helm chart\n\nFor operators: every value of the chart. [docs/kubernetes.md](../../docs/kubernetes.md) says how to use it.\n`make docs` writes this page from the comments in [values.yaml](values.yaml).\n\n| value | default | meaning |\n| --- | --- | --- |\n")
	listValues(t, &b, "", document.Content[0])
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(chartPage, []byte(b.String()), 0o600))
	}

	written, err := os.ReadFile(chartPage)
	require.NoError(t, err)
	require.Equal(t, string(written), b.String(), "run `make docs`")
}

// listValues writes a line for each value that has a comment, or that contains no others.
func listValues(t *testing.T, b *strings.Builder, path string, node *yaml.Node) {
	t.Helper()
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := path + key.Value
		_, about, found := strings.Cut(key.HeadComment, "# -- ")
		about = strings.ReplaceAll(about, "\n# ", " ")
		if !found && value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			listValues(t, b, name+".", value)
			continue
		}

		require.NotEmpty(t, about, "%s has no comment in values.yaml", name)
		var decoded any
		require.NoError(t, value.Decode(&decoded))
		standard, err := json.Marshal(decoded)
		require.NoError(t, err)
		fmt.Fprintf(b, "| `%s` | `%s` | %s |\n", name, standard, about)
	}
}
