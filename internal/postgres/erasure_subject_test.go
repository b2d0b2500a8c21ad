package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/eventtype"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/ingest"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/query"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// marker is the id of the person who is erased; nothing may hold it at the end.
const marker = "marker-8612"

// findTraces names the tables that hold the marker, raw texts included.
func findTraces(t testing.TB, b *bundle) (found []string) {
	t.Helper()
	rows, err := b.database.Pool(t).Query(t.Context(), `
select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}

	require.NoError(t, rows.Err())
	require.Greater(t, len(tables), 15)
	for _, table := range tables {
		where := "t::text like '%" + marker + "%'"
		if strings.HasPrefix(table, "rejection_p") {
			where += " or encode(t.raw, 'escape') like '%" + marker + "%'"
		}

		if n := count(t, b, table+" t where "+where); n > 0 {
			found = append(found, fmt.Sprintf("%s: %d", table, n))
		}
	}

	return found
}

// submitRejected submits an event that is rejected and has the raw text.
func submitRejected(t testing.TB, c *ingest.Collector, raw string) {
	t.Helper()
	e := event.Envelope{Raw: []byte(raw)}
	e.Reject(fault.CodeInvalidJSON, "", "it is not valid")
	require.Equal(t, ingest.Rejected, submit(t, c, request(shop, e))[0].Status)
}

// All data of a person is erased, in every partition and every form, and nothing more.
func TestWhatIsOfAPersonIsErased(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	mixed, own := uuid.New(), uuid.New()
	var theirs []event.Envelope
	for i := range 700 { // one step does not erase all
		theirs = append(theirs, ofUser(mixed, firstOf(-i%4), marker))
	}

	others := []event.Envelope{ofUser(mixed, firstOf(0), "1"), ofUser(mixed, firstOf(-3), "marker-861"), ofUser(uuid.New(), firstOf(-1), "1")}
	submit(t, c, request(shop, theirs...))
	submit(t, c, request(shop, others...))
	submit(t, c, request(blog, ofUser(own, firstOf(0), marker), ofUser(own, firstOf(0), marker)))
	for _, raw := range []string{`{"data":{"user":[{"id":"` + marker + `"}]}}`, `{"dta":{"user":{"id":"` + marker + `"}}`, `{"user":{"id":"` + marker} {
		submitRejected(t, c, raw)
	}

	submitRejected(t, c, `{"data":{"user":{"id":"1"}}}`)
	edited := theirs[0].Event.ID
	_, err := postgres.NewAmendStore(b.db).EditEvent(t.Context(), edited, func(current event.Stored) (event.Envelope, error) {
		current.Name = "seen"
		return event.Envelope{Event: current.Event}, nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, findTraces(t, b))

	finished := eraseAs(t, b.db, auditor(), userIs(marker))
	require.Equal(t, erasure.Counts{Sessions: 1, Events: 702, Rejections: 3}, finished.Counts)
	require.Empty(t, findTraces(t, b))
	require.Equal(t, len(others), count(t, b, "event"))
	require.Equal(t, 4, count(t, b, "rejection"), "rejections stay with their reasons")
	require.Equal(t, 1, count(t, b, "rejection where raw is not null"))
	require.Zero(t, count(t, b, "event_amendment where original_digest is not null"))
	require.False(t, finished.ErasedUntil.Before(finished.RequestedAt))
	sum := erasure.FilterDigest(finished.ID, []byte(`{"user.id":"`+marker+`"}`))
	require.Equal(t, sum[:], finished.FilterDigest, "a reader who knows the value can check it against the receipt")
	for _, e := range theirs[:2] {
		e.Event.SessionID = uuid.New()
		require.Equal(t, fault.CodeEventErased, submit(t, c, request(shop, e))[0].Violations[0].Code)
	}

	require.Empty(t, findTraces(t, b))
	contradictions, err := apptest.FindContradictions(t.Context(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
}

// Values that a schema has hashed are found by the value that was sent.
func TestHashedValuesAreErased(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	var key []byte
	require.NoError(t, b.database.Pool(t).QueryRow(t.Context(), "select hash_key from event_type_revision").Scan(&key))
	for _, form := range eventtype.HashedForms("8612", key) {
		submit(t, c, request(shop, ofUser(uuid.New(), firstOf(0), form)))
	}

	require.Equal(t, 2, count(t, b, "event"), "one for the text and one for the number")
	require.EqualValues(t, 2, eraseAs(t, b.db, auditor(), userIs("8612")).Events)
}

// Events that are stored or changed during the scan of the payloads are searched in the last
// pass.
func TestWhatArrivesMeanwhileIsErased(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	first, moving := ofUser(uuid.New(), firstOf(0), marker), ofUser(uuid.New(), firstOf(0), "1")
	submit(t, c, request(shop, first, moving))
	store := postgres.NewErasureStore(b.db)
	begun, err := newEraser(b.db).BeginErasure(t.Context(), userIs(marker))
	require.NoError(t, err)
	task := claim(t, store, time.Minute)
	runUntil(t, task, erasure.Late)
	require.Equal(t, 1, count(t, b, "event"))
	// An event of the past, behind the scan; and one that is changed to match.
	submit(t, c, request(shop, ofUser(uuid.New(), firstOf(-2), marker)))
	_, err = postgres.NewAmendStore(b.db).EditEvent(t.Context(), moving.Event.ID, func(current event.Stored) (event.Envelope, error) {
		current.Data = first.Event.Data
		return event.Envelope{Event: current.Event}, nil
	})
	require.NoError(t, err)
	// A text that is rejected now, and one with an earlier time that is committed only now.
	submitRejected(t, c, string(first.Raw))
	submitRejected(t, c, string(first.Raw))
	execute(t, b, "update rejection set received_at = received_at - interval '5 seconds' where rejection_id = (select max(rejection_id::text)::uuid from rejection)")
	require.NoError(t, task.ReleaseLease(t.Context()))
	finished, err := newEraser(b.db).FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.EqualValues(t, 3, finished.Events)
	require.EqualValues(t, 2, finished.Rejections)
	require.Empty(t, findTraces(t, b))
}

// A replay that had read a text before it was erased may store its event later: the erasure
// waits for the end of the replay's lease and searches again.
func TestAnErasureWaitsForReplays(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	theirs := ofUser(uuid.New(), firstOf(0), marker)
	submitRejected(t, c, string(theirs.Raw))
	execute(t, b, "update rejection set leased_until = now() + interval '1 hour'") // a replay has leased it
	store := postgres.NewErasureStore(b.db)
	begun, err := newEraser(b.db).BeginErasure(t.Context(), userIs(marker))
	require.NoError(t, err)
	task, outcome := claim(t, store, time.Minute), erasure.More
	for outcome == erasure.More {
		outcome, err = task.RunStep(t.Context())
		require.NoError(t, err)
	}

	require.Equal(t, erasure.Later, outcome)
	nobody, err := store.ClaimErasure(t.Context(), time.Minute, uuid.NullUUID{})
	require.NoError(t, err)
	require.Nil(t, nobody)
	submit(t, c, request(shop, theirs)) // the replay stores it
	execute(t, b, "update erasure set late_after = now(), leased_until = null")
	finished, err := newEraser(b.db).FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.Equal(t, erasure.Counts{Sessions: 1, Events: 1, Rejections: 1}, finished.Counts)
	require.Empty(t, findTraces(t, b))
}

// A replay may also hold a text that is rejected during the erasure, when only the last search of
// texts finds it: the erasure waits for it too, and is not reported as finished before.
func TestAnErasureWaitsForReplaysOfLateTexts(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	theirs := ofUser(uuid.New(), firstOf(0), marker)
	store := postgres.NewErasureStore(b.db)
	begun, err := newEraser(b.db).BeginErasure(t.Context(), userIs(marker))
	require.NoError(t, err)
	task, outcome := claim(t, store, time.Minute), erasure.More
	runUntil(t, task, erasure.LateErrors)
	submitRejected(t, c, string(theirs.Raw))
	execute(t, b, "update rejection set leased_until = now() + interval '1 hour'") // a replay has leased it
	for outcome == erasure.More {
		outcome, err = task.RunStep(t.Context())
		require.NoError(t, err)
	}

	require.Equal(t, erasure.Later, outcome)
	submit(t, c, request(shop, theirs)) // the replay stores it
	execute(t, b, "update erasure set late_after = now(), leased_until = null")
	finished, err := newEraser(b.db).FinishErasure(t.Context(), begun.ID, func(erasure.Erasure) {})
	require.NoError(t, err)
	require.Equal(t, erasure.Counts{Sessions: 1, Events: 1, Rejections: 1}, finished.Counts)
	require.Empty(t, findTraces(t, b))
}

// Texts that name an erased session are erased, in whatever form they name it; so are those that
// arrive later.
func TestTextsThatNameAnErasedSessionGo(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	session := uuid.New()
	other := uuid.New()
	c := collector(t, b.store, 1)
	submit(t, c, request(shop, envelope(session, firstOf(0))))
	naming := []string{
		`{"sesion_id":"` + strings.ToUpper(session.String()) + `"}`, `{"session_id":"` + session.String()[:35] + `"}`, session.String(),
	}
	for _, raw := range naming {
		submitRejected(t, c, raw)
	}

	submitRejected(t, c, `{"session":"`+other.String()+`"}`)
	finished := eraseSession(t, b.db, session)
	require.Equal(t, erasure.Counts{Sessions: 1, Events: 1, Rejections: 3}, finished.Counts)
	require.Equal(t, 4, count(t, b, "rejection"))
	require.Equal(t, 1, count(t, b, "rejection where raw is not null"))
	for _, raw := range []string{naming[0], naming[2]} {
		submitRejected(t, c, raw)
	}

	require.Equal(t, 1, count(t, b, "rejection where raw is not null"), "no new text of an erased session is kept either")

	// A session that exists only in such texts.
	require.EqualValues(t, 1, eraseAs(t, b.db, auditor(), erasure.Request{SessionIDs: []uuid.UUID{other}, MustExist: true}).Rejections)
	require.Zero(t, count(t, b, "rejection where raw is not null"))
}

// A subject's export has the same events as the subject's erasure.
func TestASubjectIsWhatItsErasureErases(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	c := collector(t, b.store, 1)
	var want []uuid.UUID
	for i := range 600 {
		e := ofUser(uuid.New(), firstOf(-i%3), marker)
		want = append(want, e.Event.ID)
		submit(t, c, request(shop, e, ofUser(uuid.New(), firstOf(0), "1")))
	}

	submitRejected(t, c, `{"data":{"user":{"id":"`+marker+`"}}`)
	finder := query.Finder{SubjectStore: postgres.NewErasureStore(b.db)}
	values := []query.DataFilter{{Path: query.DataPath{"user", "id"}, Value: marker}}
	var events []event.Stored
	var errors []query.Rejection
	read := func() {
		events, errors = nil, nil
		require.NoError(t, finder.ReadSubject(t.Context(), values, time.Minute, func(e []event.Stored, r []query.Rejection) error {
			events, errors = append(events, e...), append(errors, r...)
			return nil
		}))
	}
	read()
	ids := idsOf(events)
	require.ElementsMatch(t, want, ids)
	require.Len(t, errors, 1)
	finished := eraseAs(t, b.db, auditor(), userIs(marker))
	require.Equal(t, digestOf(append(ids, errors[0].ID)), finished.Digest, "an auditor can verify the erasure by the export")
	read()
	require.Empty(t, events)
	require.Empty(t, errors)
}

// Ingest, edits and erasures of the same person and the same sessions race: no event of the
// person stored before the last erasure is left, no other event is lost, and the rows of
// sessions agree with their events.
func TestRaceOfPersonsErasedAndStored(t *testing.T) {
	t.Parallel()
	const sessions, writers = 6, 4
	b, seen := newBundle(t), &recent{}
	both := replicas(t, b, 2)
	erasers := [2]*erasure.Eraser{newEraser(b.db), newEraser(openDB(t, b.database.DSN()))}
	amends := postgres.NewAmendStore(b.db)
	parallel(writers+3, func(n int) {
		d := newDice(uint64(n), sessions)
		switch {
		case n < writers:
			for range 30 {
				e := []event.Envelope{ofUser(sessionOf(d.Uint64N(sessions)), d.around(time.Now()), marker), ofUser(sessionOf(d.Uint64N(sessions)), d.around(time.Now()), "1")}
				seen.add(e[0].Event)
				seen.add(e[1].Event)
				for _, v := range submit(t, both[n%2], request(shop, e...)) {
					if v.Status != ingest.Stored {
						t.Errorf("an event was %s: %v", v.Status, v.Violations)
					}
				}
			}
		case n == writers:
			await(t, func() bool { return seen.count() > 0 || t.Failed() })
			for range 60 {
				e, _ := seen.any(d)
				target := sessionOf(d.Uint64N(sessions)) // the same in each attempt, whose session is then locked
				_, err := amends.EditEvent(context.Background(), e.ID, func(current event.Stored) (event.Envelope, error) {
					current.SessionID = target
					return event.Envelope{Event: current.Event}, nil
				})
				if err != nil && !isErased(err) {
					t.Errorf("an event could not be moved: %v", err)
				}
			}
		default:
			for range 4 {
				if err := tryErase(erasers[n%2], userIs(marker)); err != nil {
					t.Errorf("an erasure failed: %v", err)
				}
			}
		}
	})
	require.NoError(t, tryErase(erasers[0], userIs(marker)))
	require.Empty(t, findTraces(t, b))
	require.Equal(t, writers*30, count(t, b, "event"), "events of others stay")
	contradictions, err := apptest.FindContradictions(t.Context(), b.database.Pool(t))
	require.NoError(t, err)
	require.Empty(t, contradictions)
}

// A partition whose types all have an index of the path is not scanned.
func TestErasuresUseIndexesOfPayloads(t *testing.T) {
	t.Parallel()
	const months, each = 3, 4000
	// A server of its own: transactions of other tests would make the erasure search again.
	b := newBundleOn(t, pgtest.NewDedicated(t))
	c := collector(t, b.store, 1)
	for m := range months {
		envelopes := make([]event.Envelope, each)
		for i := range envelopes {
			user := "1"
			if i%10 == 0 {
				user = marker
			}

			envelopes[i] = ofUser(uuid.New(), firstOf(-m).Add(time.Duration(i)*time.Second), user)
		}

		submit(t, c, request(shop, envelopes...))
	}

	other := ofUser(uuid.New(), firstOf(-1), "1") // the month in the middle has a type without an index
	other.Event.Name = "other"
	submit(t, c, request(shop, other))
	_, err := b.database.Pool(t).Exec(t.Context(), `
with made as (insert into event_type (category, name, version) values ('page', 'view', 1) returning event_type_id)
insert into event_type_version (event_type_id, version, mode, schema) select event_type_id, 1, 'observe', $1::json from made`,
		`{"properties":{"user":{"properties":{"id":{"x-theeye":"indexed"}}}}}`)
	require.NoError(t, err)
	indexes := postgres.NewPathIndexStore(b.db)
	paths, err := indexes.WantedPaths(t.Context())
	require.NoError(t, err)
	_, err = indexes.ReconcileIndexes(t.Context(), paths)
	require.NoError(t, err)

	finished := eraseAs(t, b.db, auditor(), userIs(marker))
	require.EqualValues(t, months*each/10, finished.Events)
	require.Empty(t, findTraces(t, b))
	// Only the beginnings of the first and the last month, and the month in the middle, are
	// scanned.
	require.Less(t, finished.Scanned, int64(months*each))
	require.Greater(t, finished.Scanned, int64(each))
	require.Equal(t, months*each*9/10+1, count(t, b, "event"))
}
