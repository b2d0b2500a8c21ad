//go:build browser

package browsertest_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// The flags of the kill test. make kill-test sets them.
//
//nolint:gochecknoglobals // flags
var (
	cycles = flag.Int("cycles", 20, "cycles of the kill test")
	seed   = flag.Uint("seed", 1, "what decides the order of its faults")
	report = flag.String("report", "", "the file for its report")
)

// journalEntry is what the driver knows of one event of the kill test.
type journalEntry struct {
	// N is in the payload, so that a copy with another id is recognised.
	N     int
	ID    string
	Cycle int
	Fault string
	// Valid means that the service has no reason to reject it.
	Valid bool
	// Written means that it was in the queue for good.
	Written bool
	// Verdicts are those that the SDK reported.
	Verdicts []string
}

// journal is what the driver knows of the kill test.
type journal struct {
	Events []journalEntry
	// Cycles are the faults, in their order.
	Cycles []string
	// Drained is the time in seconds until the queue was empty in the end.
	Drained float64
	// Strangers are reports about events that a killed page had no time to report as tracked.
	Strangers int
}

// TestKill tracks events while tabs, the browser, the network and the service break, and looks
// for each event in the tables: none that was in the queue is lost, none is stored twice.
func TestKill(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	site := startSite(t)
	key := makePublicKey(t, database, site.origins())
	service := startProcess(t, database)
	front := startFront(t, service.url())
	front.process = service

	began := time.Now()
	var saw journal
	startDriver(t).play(t, "kill", map[string]any{
		"eye":    front.URL,
		"key":    key,
		"site":   site.origin("site.localhost"),
		"cycles": *cycles,
		"seed":   *seed,
	}, &saw)

	result := judge(saw, readOutcomes(t, database), front)
	result.took = time.Since(began)
	text := result.String()
	t.Log("\n" + text)
	if *report != "" {
		require.NoError(t, os.WriteFile(*report, []byte(text), 0o600))
	}

	require.Empty(t, result.faults)
	require.Greater(t, result.total.written, 20**cycles, "most events have to reach the queue for the test to mean something")
	checkTables(t, database)
}

// checkTables checks that the tables do not contradict one another.
func checkTables(t *testing.T, database *pgtest.Database) {
	t.Helper()
	pool := database.Pool(t)
	broken, err := apptest.FindContradictions(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, broken)
	gaps, err := apptest.FindGaps(context.Background(), pool)
	require.NoError(t, err)
	require.Empty(t, gaps)
}

// outcomes are the final states of the events in the tables.
type outcomes struct {
	// stored has the ids under which the payload of an event was stored, by its number.
	stored map[int][]string
	// rejected has the codes with which an event was rejected, by its id.
	rejected map[string][]string
}

// finalRejections returns the codes with which an event was rejected for good. A client whose
// clock is ahead learns it from such a rejection, and sends the event again with the right time.
func (o outcomes) finalRejections(event journalEntry) []string {
	codes := o.rejected[event.ID]
	if len(o.stored[event.N]) == 0 {
		return codes
	}

	return slices.DeleteFunc(slices.Clone(codes), func(code string) bool { return code == "timestamp_in_future" })
}

func readOutcomes(t *testing.T, database *pgtest.Database) outcomes {
	t.Helper()
	pool := database.Pool(t)
	found := outcomes{stored: map[int][]string{}, rejected: map[string][]string{}}

	for _, row := range readPairs(t, pool, `select data->>'n', event_id::text from event where category = 'kill'`) {
		n, err := strconv.Atoi(row.first)
		require.NoError(t, err)
		found.stored[n] = append(found.stored[n], row.second)
	}

	for _, row := range readPairs(t, pool, `select event_id::text, code from rejection where event_id is not null`) {
		// The answer of a rejection may have been lost, too.
		if !slices.Contains(found.rejected[row.first], row.second) {
			found.rejected[row.first] = append(found.rejected[row.first], row.second)
		}
	}

	return found
}

// pair is a row of two texts.
type pair struct{ first, second string }

// readPairs returns the rows of a query of two texts.
func readPairs(t *testing.T, pool *pgxpool.Pool, statement string) []pair {
	t.Helper()
	rows, err := pool.Query(context.Background(), statement)
	require.NoError(t, err)
	pairs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p pair, err error) {
		return p, row.Scan(&p.first, &p.second)
	})
	require.NoError(t, err)

	return pairs
}
