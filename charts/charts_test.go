package charts_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const runbookURL = "https://github.com/the-eye-events/the-eye/blob/main/docs/runbook.md#"

func TestDashboardCanBeImportedAnywhere(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	require.Equal(t, "theeye", d.UID, "links contain it")
	require.Positive(t, d.SchemaVersion)
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	for _, uid := range regexp.MustCompile(`"type":\s*"prometheus",\s*"uid":\s*"(.*?)"`).FindAllStringSubmatch(string(text), -1) {
		require.Equal(t, "${datasource}", uid[1])
	}

	variables := map[string]variable{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v
	}

	require.Equal(t, "datasource", variables["datasource"].Type)
	for _, name := range []string{"namespace", "job"} {
		require.True(t, variables[name].IncludeAll, name)
		require.Equal(t, ".*", variables[name].AllValue, "%s: all includes series without the label", name)
	}
}

func TestPanelsExplainThemselves(t *testing.T) {
	t.Parallel()
	ids := map[int]bool{}
	titles := map[string]bool{}
	taken := map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		require.Positive(t, p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		require.Empty(t, p.Panels, "%s: these tests do not read collapsed rows", p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%s lies on another panel", p.Title)
				require.Less(t, at[0], 24, p.Title)
				taken[at] = p.Title
			}
		}

		if p.Type == "row" {
			continue
		}

		require.False(t, titles[p.Title], "two panels have the title %q", p.Title)
		titles[p.Title] = true
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Thresholds.Steps, p.Title)
		require.Equal(t, datasource{Type: "prometheus", UID: "${datasource}"}, p.Datasource, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, datasource{Type: "prometheus", UID: "${datasource}"}, target.Datasource, p.Title)
			require.NotEmpty(t, target.RefID, p.Title)
			require.Contains(t, target.Expr, `namespace=~"$namespace",job=~"$job"`, p.Title)
			if p.Type != "table" {
				require.NotContains(t, []string{"", "__auto"}, target.LegendFormat, "%s: %s", p.Title, target.Expr)
			}
		}
	}
}

// Every alert has a severity, a description and a section of the runbook.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	_, alerts := readRules(t)
	sections := readRunbook(t)
	names := map[string]bool{}
	for _, a := range alerts {
		names[a.Alert] = true
		require.Contains(t, []string{"page", "ticket"}, a.Labels["severity"], a.Alert)
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.NotEmpty(t, a.Annotations["description"], a.Alert)
		require.Equal(t, runbookURL+strings.ToLower(a.Alert), a.Annotations["runbook_url"])
		require.Contains(t, sections, a.Alert, "the runbook has no such section")
		for _, part := range []string{"**Meaning.**", "**Impact.**", "**Diagnosis.**", "**Mitigation.**"} {
			require.Contains(t, sections[a.Alert], part, a.Alert)
		}
	}

	for heading := range sections {
		if strings.HasPrefix(heading, "TheEye") {
			require.True(t, names[heading], "the runbook has a section on %s, which is not an alert", heading)
		}
	}
}

// Each rule has a test in which it fires and one in which it does not: otherwise it may fire
// always, or never.
func TestEveryAlertIsSeenToFireAndNotTo(t *testing.T) {
	t.Parallel()
	_, alerts := readRules(t)
	cases := readAlertCases(t)
	for _, a := range alerts {
		fires, keepsStill := false, false
		for _, c := range cases {
			if c.Alert == a.Alert {
				fires = fires || c.fires(a)
				keepsStill = keepsStill || !c.fires(a)
			}
		}

		require.True(t, fires, "no test in which %s %v fires", a.Alert, a.Labels)
		require.True(t, keepsStill, "no test in which %s %v does not fire", a.Alert, a.Labels)
	}

	for _, c := range cases {
		require.Contains(t, alertNames(alerts), c.Alert, "a test without an alert")
	}
}

func alertNames(alerts []rule) (names []string) {
	for _, a := range alerts {
		names = append(names, a.Alert)
	}

	return names
}
