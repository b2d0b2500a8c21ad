package main_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/eyeload/limits"
)

// The whole measurement runs, if briefly: every part, with the real service.
func TestLimits(t *testing.T) {
	t.Parallel()
	service := filepath.Join(t.TempDir(), "theeye")
	file := filepath.Join(t.TempDir(), "limits.json")
	plans := t.TempDir()
	text, err := exec.CommandContext(context.Background(), "go", "-C", "../../..", "build", "-o", service, "./cmd/theeye").CombinedOutput()
	require.NoError(t, err, "%s", text)
	code, out, errOut := runProgram(t, os.Environ(), "limits", "--service", service, "--rounds", "1", "--for", "200ms", "--events", "20000", "--log-files", "0",
		"--only", "latency,copy,single,batch,hot,queries", "--json", file, "--plans", plans)
	require.LessOrEqual(t, code, 1, out+errOut) // so short a run may miss any goal
	text, err = os.ReadFile(file)
	require.NoError(t, err, out+errOut)
	var r limits.Report
	require.NoError(t, json.Unmarshal(text, &r))
	figures := map[string]float64{}
	for _, f := range r.Figures {
		figures[f.Name] = f.Median
	}

	for _, name := range []string{
		"1000 requests/s: p99 ms", "resident memory after 5,000 requests/s: MiB", "bare COPY with ledger, 2 connections: rows/s",
		"single events, 256 clients: ratio to Gin that stores nothing", "single events, 256 clients: Postgres CPU us/event",
		"batches of 100, 16 clients: WAL bytes/event", "hot session, batches of 100: ratio to spread sessions",
		"timeline of a typical session: p99 ms", "on top of 20000 events, batches of 100, 16 clients: events/s",
	} {
		require.Positive(t, figures[name], "%s in %v", name, figures)
	}

	text, err = os.ReadFile(filepath.Join(plans, "plans.txt"))
	require.NoError(t, err)
	require.Contains(t, string(text), "Index")
}

func TestLimitsRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	code, _, errOut := runProgram(t, os.Environ(), "limits", "--only", "singel")
	require.Equal(t, 64, code, errOut)
	require.Contains(t, errOut, "single")
}
