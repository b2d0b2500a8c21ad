package k6_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/require"
)

// report is the JSON that a script writes.
type report struct {
	Script     string  `json:"script"`
	Passed     bool    `json:"passed"`
	DurationMS float64 `json:"duration_ms"`
	Thresholds []struct {
		Metric    string   `json:"metric"`
		Threshold string   `json:"threshold"`
		Passed    bool     `json:"passed"`
		Value     *float64 `json:"value"`
	} `json:"thresholds"`
	Checks []struct {
		Name   string `json:"name"`
		Passes int    `json:"passes"`
		Fails  int    `json:"fails"`
	} `json:"checks"`
	Metrics map[string]struct {
		Type   string             `json:"type"`
		Values map[string]float64 `json:"values"`
	} `json:"metrics"`
}

// summarise calls a script's handleSummary, and returns the files that k6 would write.
func summarise(t *testing.T, script, data string, env map[string]string) map[string]string {
	t.Helper()
	runtime, exports, err := initScript(t, script, variables(env))
	require.NoError(t, err)

	var decoded any
	require.NoError(t, json.Unmarshal([]byte(data), &decoded))

	function, exported := goja.AssertFunction(exports.Get("handleSummary"))
	require.True(t, exported)
	written, err := function(goja.Undefined(), runtime.ToValue(decoded))
	require.NoError(t, err)

	files := map[string]string{}
	require.NoError(t, runtime.ExportTo(written, &files))

	return files
}

func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(text)
}

// rows reads the tables of a page: the texts of each row's cells.
func rows(t *testing.T, page string) (found [][]string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	in := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}

		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			require.NotContains(t, []string{"script", "link", "img", "iframe"}, token.Name.Local, "the page needs nothing else")
			for _, attribute := range token.Attr {
				require.NotContains(t, []string{"src", "href"}, attribute.Name.Local)
			}

			switch token.Name.Local {
			case "tr":
				found = append(found, nil)
			case "td":
				in = true
				found[len(found)-1] = append(found[len(found)-1], "")
			}
		case xml.EndElement:
			in = in && token.Name.Local != "td"
		case xml.CharData:
			if row := len(found) - 1; in {
				found[row][len(found[row])-1] += string(token)
			}
		}
	}
}

func TestSummariesNameEachThresholdAndHowItWent(t *testing.T) {
	t.Parallel()
	data := sample(t, "summary.json")
	for _, script := range scripts() {
		files := summarise(t, script, data, map[string]string{"SUMMARY_DIR": "out/k6/"})
		require.Len(t, files, 3)

		var r report
		require.NoError(t, json.Unmarshal([]byte(files["out/k6/"+script+".json"]), &r))
		require.Equal(t, script, r.Script)
		require.False(t, r.Passed)
		require.InDelta(t, 30021.482341, r.DurationMS, 1e-9)
		require.Len(t, r.Thresholds, 5)
		require.Len(t, r.Checks, 3, "those of groups too")
		require.InDelta(t, 14.92, r.Metrics["http_req_duration{name:ingest}"].Values["p(99)"], 1e-9)

		table := rows(t, files["out/k6/"+script+".html"])
		for _, threshold := range []struct{ verdict, metric, expression, value string }{
			{"failed", "checks", "rate==1", "0.99983"},
			{"passed", "dropped_iterations", "count==0", "0"},
			{"passed", "http_req_duration{name:ingest}", "p(99)<500", "14.92"},
			{"failed", "http_req_failed", "rate==0", "0.00033333"},
			{"passed", "http_reqs{name:ingest}", "count>0", "3000"},
		} {
			require.Contains(t, table, []string{threshold.verdict, threshold.metric, threshold.expression, threshold.value})
			word := strings.Replace(threshold.verdict, "failed", "FAILED", 1)
			require.Contains(t, files["stdout"], "  "+word+"  "+threshold.metric+"  "+threshold.expression+"  ("+threshold.value+")\n")
		}

		require.Contains(t, table, []string{"failed", "ingest: status is 201", "2999", "1"})
		require.Contains(t, table, []string{"passed", `in a group: <b>bold</b> & "quoted"`, "5", "0"})
		for name, text := range files {
			require.NotContains(t, text, "not for a summary", name)
		}
	}
}

func TestASummaryOfARunThatPassed(t *testing.T) {
	t.Parallel()
	data := strings.ReplaceAll(sample(t, "summary.json"), `"ok": false`, `"ok": true`)
	files := summarise(t, "ingest", data, map[string]string{"SUMMARY_DIR": "here"})
	var r report
	require.NoError(t, json.Unmarshal([]byte(files["here/ingest.json"]), &r))
	require.True(t, r.Passed)
	require.Contains(t, files["stdout"], "ingest: passed in 30.021 s")
	require.Contains(t, files["here/ingest.html"], `<h1>ingest: <span class="passed">passed</span></h1>`)
}

func TestASummaryNeedsNoFolder(t *testing.T) {
	t.Parallel()
	files := summarise(t, "ingest", sample(t, "summary.json"), nil)
	require.Len(t, files, 1)
	require.Contains(t, files["stdout"], "ingest: FAILED in 30.021 s")
}

func TestTheMachineReadableFormIsUnderstood(t *testing.T) {
	t.Parallel()
	files := summarise(t, "ingest", sample(t, "summary-machine-readable.json"), map[string]string{"SUMMARY_DIR": "here"})
	var r report
	require.NoError(t, json.Unmarshal([]byte(files["here/ingest.json"]), &r))
	require.False(t, r.Passed)
	require.Empty(t, r.Thresholds, "the form has no thresholds")
	require.Len(t, r.Checks, 1)
	require.InDelta(t, 30020, r.DurationMS, 1e-6)
	require.InDelta(t, 14.92, r.Metrics["http_req_duration"].Values["p(99)"], 1e-9)
	require.Contains(t, files["here/ingest.html"], "ingest: status is 201")
}
