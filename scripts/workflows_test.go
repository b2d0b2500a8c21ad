package scripts_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// longest is the highest timeout of a job, in minutes.
const longest = 90

type workflow struct {
	On          yaml.Node      `yaml:"on"`
	Permissions yaml.Node      `yaml:"permissions"`
	Jobs        map[string]job `yaml:"jobs"`
}

type job struct {
	RunsOn      string            `yaml:"runs-on"` //nolint:tagliatelle // GitHub's name
	Permissions map[string]string `yaml:"permissions"`
	Timeout     int               `yaml:"timeout-minutes"` //nolint:tagliatelle // GitHub's name
	Uses        yaml.Node         `yaml:"uses"`
	Steps       []step            `yaml:"steps"`
}

type step struct {
	Uses yaml.Node         `yaml:"uses"`
	Run  string            `yaml:"run"`
	With map[string]string `yaml:"with"`
}

// mayWrite lists every scope that a job may write; all other scopes are read-only.
func mayWrite() map[string][]string {
	return map[string][]string{
		"codeql.yml analyze":   {"security-events"},
		"release.yml archives": {"attestations", "id-token"},
		"release.yml image":    {"attestations", "id-token", "packages"},
		"release.yml chart":    {"attestations", "id-token", "packages"},
		"release.yml publish":  {"contents"},
	}
}

// faults returns the rules that a workflow breaks.
func faults(name string, content []byte) []string {
	var w workflow
	if err := yaml.Unmarshal(content, &w); err != nil {
		return []string{err.Error()}
	}

	var found []string
	add := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	if w.Permissions.Kind != yaml.MappingNode || len(w.Permissions.Content) > 0 {
		add("the permissions of the workflow are not {}")
	}

	for _, trigger := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
		if names(&w.On, trigger) {
			add("%s runs foreign code with this repository's rights", trigger)
		}
	}

	for jobName, j := range w.Jobs {
		where := "job " + jobName
		if j.Permissions == nil {
			add("%s: no permissions of its own", where)
		}

		for scope, right := range j.Permissions {
			if right == "write" && !slices.Contains(mayWrite()[name+" "+jobName], scope) {
				add("%s: may write %s", where, scope)
			}
		}

		if j.Timeout < 1 || j.Timeout > longest {
			add("%s: timeout-minutes is %d", where, j.Timeout)
		}

		if strings.HasSuffix(j.RunsOn, "-latest") {
			add("%s: runs on %s, which changes", where, j.RunsOn)
		}

		for _, s := range append(j.Steps, step{Uses: j.Uses}) {
			for _, fault := range s.faults() {
				add("%s: %s", where, fault)
			}
		}
	}

	slices.Sort(found)

	return found
}

func (s step) faults() []string {
	var found []string
	if uses := s.Uses.Value; uses != "" {
		if !regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}$`).MatchString(uses) ||
			!regexp.MustCompile(`^# v\d+\.\d+\.\d+$`).MatchString(s.Uses.LineComment) {
			found = append(found, strings.TrimSpace(uses+" "+s.Uses.LineComment)+" is not pinned by a commit with its version beside it")
		}

		if strings.HasPrefix(uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
			found = append(found, "the checkout keeps its token")
		}
	}

	// Not even a harmless expression: its value becomes part of the script.
	if strings.Contains(s.Run, "${{") {
		found = append(found, "an expression inside a script; pass it in env")
	}

	return found
}

// names reports whether a scalar, a list or a map contains the name.
func names(node *yaml.Node, name string) bool {
	return node.Value == name || slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return n.Value == name })
}

func workflows(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	contents := map[string][]byte{}
	for _, path := range paths {
		contents[filepath.Base(path)], err = os.ReadFile(path)
		require.NoError(t, err)
	}

	return contents
}

func TestWorkflowsKeepTheRules(t *testing.T) {
	t.Parallel()
	for name, content := range workflows(t) {
		require.Empty(t, faults(name, content), name)
	}
}

// A workflow that breaks every rule shows that each rule is checked.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/wrong.yml")
	require.NoError(t, err)
	require.Equal(t, []string{
		"job a: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd is not pinned by a commit with its version beside it",
		"job a: actions/checkout@v6 # v6.0.2 is not pinned by a commit with its version beside it",
		"job a: an expression inside a script; pass it in env",
		"job a: no permissions of its own",
		"job a: runs on ubuntu-latest, which changes",
		"job a: the checkout keeps its token",
		"job a: the checkout keeps its token",
		"job a: timeout-minutes is 0",
		"job b: a/b/.github/workflows/c.yml@main is not pinned by a commit with its version beside it",
		"job b: may write contents",
		"job b: timeout-minutes is 600",
		"pull_request_target runs foreign code with this repository's rights",
		"the permissions of the workflow are not {}",
	}, faults("wrong.yml", content))
}

// An action that is pinned at two commits was not updated in one place.
func TestAnActionIsPinnedOnce(t *testing.T) {
	t.Parallel()
	pins := map[string]string{}
	uses := regexp.MustCompile(`uses: ([\w.-]+/[\w.-]+)[\w./-]*(@\S+ # v\S+)`)
	for name, content := range workflows(t) {
		for _, found := range uses.FindAllStringSubmatch(string(content), -1) {
			if pin, seen := pins[found[1]]; seen {
				require.Equal(t, pin, found[2], "%s: %s", name, found[1])
			}

			pins[found[1]] = found[2]
		}
	}

	require.NotEmpty(t, pins)
}

func TestWorkflowsCallTargetsThatAreThere(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	calls := regexp.MustCompile(`(?m)(?:run: |^ +)make (?:-s )?([a-z][a-z0-9/-]*)`)
	var called []string
	for name, content := range workflows(t) {
		for _, call := range calls.FindAllStringSubmatch(string(content), -1) {
			require.Regexp(t, `(?m)^`+regexp.QuoteMeta(call[1])+`:`, string(makefile), name)
			called = append(called, call[1])
		}
	}

	require.Contains(t, called, "e2e")
	require.Contains(t, called, "dist")
}

// Every module in the configuration of dependabot exists, and none is missing.
func TestEveryModuleIsLookedAfter(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../.github/dependabot.yml")
	require.NoError(t, err)
	var dependabot struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"` //nolint:tagliatelle // GitHub's name
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}

	require.NoError(t, yaml.Unmarshal(content, &dependabot))
	require.Equal(t, "gomod", dependabot.Updates[0].Ecosystem)
	modules := []string{"/"}
	inFolders, err := filepath.Glob("../*/go.mod")
	require.NoError(t, err)
	inTools, err := filepath.Glob("../tools/*/go.mod")
	require.NoError(t, err)
	inClient, err := filepath.Glob("../client/*/go.mod")
	require.NoError(t, err)
	for _, path := range slices.Concat(inFolders, inClient, inTools) {
		if path == "../tools/suite/go.mod" {
			continue // it only pins tools, so go mod tidy would empty it
		}

		modules = append(modules, strings.TrimPrefix(filepath.Dir(path), ".."))
	}

	require.ElementsMatch(t, modules, dependabot.Updates[0].Directories)
}
