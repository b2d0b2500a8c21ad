package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
)

func TestSequenceFollowsTimestampsWithinARequest(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 2)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)

	first := submit(t, c, request(shop, envelope(session, noon.Add(2*time.Second)), envelope(session, noon), envelope(session, noon.Add(time.Second))))
	second := submit(t, c, request(blog, envelope(session, noon.Add(-time.Second))))

	require.Equal(t, []int64{3, 1, 2}, sequences(first))
	require.Equal(t, []int64{4}, sequences(second), "a later request continues, however early its events happened")
	var count, last int64
	var started, ended time.Time
	var applications []int32
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(),
		"select event_count, last_sequence, started_at, last_event_at, application_ids from session where session_id = $1", session).
		Scan(&count, &last, &started, &ended, &applications))
	require.Equal(t, int64(4), count)
	require.Equal(t, int64(4), last)
	require.WithinDuration(t, noon.Add(-time.Second), started, time.Microsecond)
	require.WithinDuration(t, noon.Add(2*time.Second), ended, time.Microsecond)
	require.Equal(t, []int32{1, 2}, applications)
}

func TestDuplicateConflictAndRefusal(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	original := envelope(session, noon)
	original.Event.Data = []byte(`{"a":1,"b":[1e2,{"c":null}]}`)
	require.Equal(t, ingest.Stored, submit(t, c, request(shop, original))[0].Status)

	same := original
	same.Event.Data = []byte(`{"b":[100.0,{"c":null}],"a":1}`)
	other := original
	other.Event.Data = []byte(`{"a":2}`)
	rejected := event.Envelope{Raw: []byte(`{"oops":`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON, Detail: "broken"}}}
	fresh := envelope(session, noon.Add(time.Second))
	verdicts := submit(t, c, request(shop, same, other, rejected, fresh, fresh))

	require.Equal(t, []ingest.Status{ingest.Duplicate, ingest.Conflict, ingest.Rejected, ingest.Stored, ingest.Duplicate}, statuses(verdicts))
	require.Equal(t, []int64{1, 0, 0, 2, 2}, sequences(verdicts))
	require.Equal(t, fault.CodeEventIDConflict, verdicts[1].Violations[0].Code)
	require.Equal(t, 2, count(t, b, "event"))
	require.Equal(t, 2, count(t, b, "event_key"))
	require.Equal(t, 2, count(t, b, "rejection"))
	for _, v := range verdicts[1:3] {
		var raw []byte
		require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), "select raw from rejection where rejection_id = $1", v.ErrorID).Scan(&raw))
		require.NotEmpty(t, raw)
	}
}

func TestAtomicIsAllOrNone(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 2)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	original := envelope(session, noon)
	submit(t, c, request(shop, original))
	conflicting := original
	conflicting.Event.Name = "other"

	atomic := request(shop, envelope(session, noon), conflicting, envelope(session, noon))
	atomic.Atomic = true
	require.Equal(t, []ingest.Status{ingest.NotStored, ingest.Conflict, ingest.NotStored}, statuses(submit(t, c, atomic)))
	require.Equal(t, 1, count(t, b, "event"))
	require.Equal(t, 1, count(t, b, "event_key"))
	require.Equal(t, 1, count(t, b, "rejection"))

	rejected := event.Envelope{Raw: []byte(`{}`), Violations: []fault.Violation{{Code: fault.CodeMissingField, Detail: "missing"}}}
	atomic = request(shop, envelope(session, noon), rejected)
	atomic.Atomic = true
	require.Equal(t, []ingest.Status{ingest.NotStored, ingest.Rejected}, statuses(submit(t, c, atomic)))
	require.Equal(t, 1, count(t, b, "event"))
	require.Equal(t, 2, count(t, b, "rejection"))

	atomic = request(shop, envelope(session, noon), original, envelope(session, noon))
	atomic.Atomic = true
	require.Equal(t, []ingest.Status{ingest.Stored, ingest.Duplicate, ingest.Stored}, statuses(submit(t, c, atomic)))
	require.Equal(t, 3, count(t, b, "event"))
}

func TestCheckStoresNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	session, noon := uuid.New(), time.Now().Add(-time.Hour)
	original := envelope(session, noon)
	submit(t, c, request(shop, original))
	other := original
	other.Event.Category = "other"

	verdicts, err := c.DryRun(context.Background(), request(shop, original, other, envelope(session, noon)))

	require.NoError(t, err)
	require.Equal(t, []ingest.Status{ingest.Duplicate, ingest.Conflict, ingest.Valid}, statuses(verdicts))
	require.Equal(t, 1, count(t, b, "event"))
	require.Equal(t, 0, count(t, b, "rejection"))
}

func TestFloodOfRefusalsIsCountedAndSampled(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	bounds := keepAll()
	bounds.Rows = 55
	b.store = newStore(b.db, bounds)
	c := collector(t, b.store, 1)
	garbage := func() event.Envelope {
		return event.Envelope{Raw: []byte(`garbage`), Violations: []fault.Violation{{Code: fault.CodeInvalidJSON, Detail: "broken"}}}
	}
	kept := 0
	for range 4 {
		envelopes := make([]event.Envelope, 100)
		for i := range envelopes {
			envelopes[i] = garbage()
		}

		for _, v := range submit(t, c, request(shop, envelopes...)) {
			if v.ErrorID != uuid.Nil {
				kept++
			}
		}
	}

	require.Equal(t, 55+5+3, kept, "55 by the bound, then 60, 70, 80, 90, 100, 200, 300, 400")
	require.Equal(t, kept, count(t, b, "rejection"))
	var rejected, counted int
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), "select sum(refused), sum(kept) from rejection_count").Scan(&rejected, &counted))
	require.Equal(t, 400, rejected)
	require.Equal(t, kept, counted)
	require.NotEqual(t, uuid.Nil, submit(t, c, request(blog, garbage()))[0].ErrorID, "another application has its own bound")

	// A conflict that is found in the transaction is bounded like the other rejections.
	original := envelope(uuid.New(), time.Now().Add(-time.Hour))
	conflicting := original
	conflicting.Event.Name = "other"
	verdicts := submit(t, c, request(shop, original, conflicting))
	require.Equal(t, []ingest.Status{ingest.Stored, ingest.Conflict}, statuses(verdicts))
	require.Equal(t, uuid.Nil, verdicts[1].ErrorID, "it was only counted, and has no id")
	require.Equal(t, kept+1, count(t, b, "rejection"))
}

func sequences(verdicts []ingest.Verdict) (found []int64) {
	for _, v := range verdicts {
		found = append(found, v.Sequence)
	}

	return found
}

func statuses(verdicts []ingest.Verdict) (found []ingest.Status) {
	for _, v := range verdicts {
		found = append(found, v.Status)
	}

	return found
}

func count(t testing.TB, b *bundle, table string) (n int) {
	t.Helper()
	require.NoError(t, b.database.Pool(t).QueryRow(context.Background(), "select count(*) from "+table).Scan(&n))
	return n
}
