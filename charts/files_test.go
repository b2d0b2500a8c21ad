package charts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	dashboardFile = "the-eye/dashboards/the-eye.json"
	rulesFile     = "the-eye/rules/the-eye.yaml"
	ruleTestFiles = "the-eye/rules/tests/*.yaml"
	runbookFile   = "../docs/runbook.md"
)

// dashboard is the part of Grafana's model that the tests read.
type dashboard struct {
	UID           string  `json:"uid"`
	Title         string  `json:"title"`
	SchemaVersion int     `json:"schemaVersion"` //nolint:tagliatelle // Grafana's name
	Panels        []panel `json:"panels"`
	Templating    struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Annotations struct {
		List []struct {
			Name string `json:"name"`
			Expr string `json:"expr"`
		} `json:"list"`
	} `json:"annotations"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct{ X, Y, W, H int }
	Panels      []panel  `json:"panels"`
	Targets     []target `json:"targets"`
	FieldConfig struct {
		Defaults struct {
			Unit       string `json:"unit"`
			Thresholds struct {
				Steps []json.RawMessage `json:"steps"`
			} `json:"thresholds"`
		} `json:"defaults"`
	}
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type target struct {
	RefID        string     `json:"refId"` //nolint:tagliatelle // Grafana's name
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"` //nolint:tagliatelle // Grafana's name
}

type variable struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Definition string `json:"definition"`
	IncludeAll bool   `json:"includeAll"` //nolint:tagliatelle // Grafana's name
	AllValue   string `json:"allValue"`   //nolint:tagliatelle // Grafana's name
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	require.NotEmpty(t, d.Panels)

	return d
}

// rule is a recording rule or an alert.
type rule struct {
	Record      string            `yaml:"record"`
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readRules(t *testing.T) (records, alerts []rule) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}

	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			if r.Alert != "" {
				alerts = append(alerts, r)
			} else {
				records = append(records, r)
			}
		}
	}

	require.NotEmpty(t, records)
	require.NotEmpty(t, alerts)

	return records, alerts
}

// alertCase is one case of promtool's tests: the alerts that fire.
type alertCase struct {
	Alert    string `yaml:"alertname"`
	Expected []struct {
		Labels map[string]string `yaml:"exp_labels"`
	} `yaml:"exp_alerts"`
}

// fires reports whether the case expects an alert of the rule.
func (c alertCase) fires(r rule) bool {
	for _, alert := range c.Expected {
		all := true
		for name, value := range r.Labels {
			all = all && alert.Labels[name] == value
		}

		if all {
			return true
		}
	}

	return false
}

func readAlertCases(t *testing.T) (cases []alertCase) {
	t.Helper()
	names, err := filepath.Glob(ruleTestFiles)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		var file struct {
			Tests []struct {
				Cases []alertCase `yaml:"alert_rule_test"`
			} `yaml:"tests"`
		}

		require.NoError(t, yaml.Unmarshal(text, &file), name)
		for _, test := range file.Tests {
			cases = append(cases, test.Cases...)
		}
	}

	return cases
}

// readRunbook returns the sections of the runbook by heading.
func readRunbook(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(runbookFile)
	require.NoError(t, err)
	sections := map[string]string{}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		require.NotContains(t, sections, heading)
		sections[heading] = body
	}

	return sections
}

// queries returns the blocks of PromQL in a section.
func queriesOf(section string) (found []string) {
	for _, block := range regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(section, -1) {
		for query := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n") {
			found = append(found, query)
		}
	}

	return found
}
