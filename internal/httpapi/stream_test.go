package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

func TestStreams(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	bulk, odd := newTenant(t, s), newTenant(t, s)
	session := newID()
	const batches, size = 7, 500 // more than three pages of a stream, and not a multiple
	for b := range batches {
		events := make([]string, size)
		for i := range events {
			events[i] = newEvent(t, session, "timestamp", fmt.Sprintf("2021-01-01 00:%02d:%02d", b, i%60), "data", map[string]any{"n": b*size + i})
		}

		mustPost(t, bulk.Ingest, batchOf(events...))
	}

	for _, text := range []string{
		`plain`, `a,b`, `"quoted"`, "a\nb", "a\r\nb", "a\rb", "\r\n", ` space `, `=1+1`, `@SUM(A1)`, `'`, "é\u202e", "tab\t", `\`, `,`, `"`,
	} {
		mustPost(t, odd.Ingest, newEvent(t, session, "category", text, "name", text, "data", map[string]any{"text": text}))
	}

	for _, path := range []string{
		"/v1/events?", "/v1/events?order=asc", "/v1/events?application=" + odd.Name, "/v1/sessions/" + session + "/events?",
		"/v1/events?from=2021-01-01T00:03:00Z&to=2021-01-01T00:05:00Z", "/v1/events?category=nothing",
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			want := [][]byte{}
			for page := path + "&limit=1000"; page != ""; {
				answer := s.Do(t, http.MethodGet, page, "")
				require.Equal(t, http.StatusOK, answer.Status)
				require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
				for _, one := range at[[]any](t, answer.JSON(t), "events") {
					want = append(want, []byte(render(t, one)))
				}

				page = nextLink(t, answer)
			}

			lines := s.Do(t, http.MethodGet, path, "", "Accept", lineType)
			require.Equal(t, http.StatusOK, lines.Status)
			require.Equal(t, lineType, lines.Header.Get("Content-Type"))
			require.Empty(t, lines.Header.Get("Link"))
			got := bytes.Split(lines.Body, []byte("\n"))
			require.Len(t, got, len(want)+1)
			require.Empty(t, got[len(want)], "the last line also ends with a newline")
			table := s.Do(t, http.MethodGet, path, "", "Accept", "text/csv")
			require.Equal(t, "text/csv; charset=utf-8; header=present", table.Header.Get("Content-Type"))
			records := parseCSV(t, string(table.Body))
			require.Len(t, records, len(want)+1)
			header := []string{"event_id", "session_id", "sequence", "category", "name", "timestamp", "received_at", "application", "data"}
			require.Equal(t, header, records[0])
			for i := range want {
				document := (&apptest.Answer{Body: got[i]}).JSON(t)
				require.Equal(t, string(want[i]), render(t, document))
				require.Len(t, records[i+1], len(header))
				for column, name := range header {
					if name == "data" {
						require.JSONEq(t, render(t, document["data"]), records[i+1][column])
					} else {
						require.Equal(t, inCSV(fmt.Sprint(document[name])), records[i+1][column], name)
					}
				}
			}
		})
	}

	t.Run("with a limit", func(t *testing.T) {
		t.Parallel()
		for _, limit := range []string{"1", "1000"} {
			answer := s.Do(t, http.MethodGet, "/v1/events?limit="+limit, "", "Accept", lineType)
			require.Equal(t, limit, fmt.Sprint(strings.Count(string(answer.Body), "\n")))
		}
	})
	t.Run("rejected before it begins", func(t *testing.T) {
		t.Parallel()
		for query, code := range map[string]string{"limit=1001": "invalid_parameter", "foo=1": "unknown_parameter", "cursor=x": "invalid_cursor"} {
			requireProblem(t, s.Do(t, http.MethodGet, "/v1/events?"+query, "", "Accept", lineType), http.StatusBadRequest, code)
		}
	})
}

// inCSV returns the CSV form of a text: with an apostrophe before a text that a spreadsheet
// would evaluate.
func inCSV(text string) string {
	if strings.HasPrefix(text, "=") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "@") {
		return "'" + text
	}

	return text
}

// parseCSV reads RFC 4180 to the letter: the reader of the standard library changes line ends
// within fields.
func parseCSV(t testing.TB, text string) (records [][]string) {
	t.Helper()
	var record []string
	for text != "" {
		var field string
		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			for {
				end := strings.IndexByte(quoted, '"')
				require.GreaterOrEqual(t, end, 0)
				field += quoted[:end]
				quoted = quoted[end+1:]
				if !strings.HasPrefix(quoted, `"`) {
					break
				}

				field += `"`
				quoted = quoted[1:]
			}

			text = quoted
		} else {
			end := strings.IndexAny(text, ",\r")
			require.GreaterOrEqual(t, end, 0)
			field, text = text[:end], text[end:]
			require.NotContains(t, field, `"`)
			require.NotContains(t, field, "\n")
		}

		record = append(record, field)
		rest, more := strings.CutPrefix(text, ",")
		if !more {
			rest, more = strings.CutPrefix(text, "\r\n")
			require.True(t, more, "a record ends with CRLF: %.20q", text)
			records, record = append(records, record), nil
		}

		text = rest
	}

	require.Empty(t, record)
	return records
}

// TestLargePages checks the size of pages in bytes, and that streams are complete.
func TestLargePages(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	// 15 KB as sent and 126 KB as read back: sixty of them are more than a page holds.
	numbers := `{"a":[` + strings.TrimSuffix(strings.Repeat("1e39,", 3000), ",") + `]}`
	large := strings.Replace(newEvent(t, newID()), `"data":{}`, `"data":`+numbers, 1)
	mustPost(t, s.WithKey(s.Ingest), batchOf(strings.Repeat(large+",", 59)+large))
	found, pages, path := 0, 0, "/v1/events?limit=60"
	for next, more := "", true; more; pages++ {
		page := s.Do(t, http.MethodGet, path+next, "")
		require.Less(t, len(page.Body), 5<<20)
		found += bytes.Count(page.Body, []byte(`"event_id"`))
		_, next, more = strings.Cut(string(page.Body[len(page.Body)-200:]), `"next_cursor":"`)
		next = "&cursor=" + strings.TrimSuffix(next, "\"}\n")
	}

	require.Greater(t, pages, 1, "a page ends early")
	require.Equal(t, 60, found)
	lines := s.Do(t, http.MethodGet, "/v1/events?limit=59", "", "Accept", lineType)
	require.Equal(t, 59, bytes.Count(lines.Body, []byte("\n")), "a stream does not")
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	session := newID()
	mustPost(t, s.WithKey(s.Ingest), newEvent(t, session))
	const csv = "text/csv; charset=utf-8; header=present"
	for accept, kind := range map[string]string{
		"*/*": "application/json", "application/*": "application/json", "application/json": "application/json",
		"Application/JSON;q=0.5": "application/json", "application/json; charset=utf-8": "application/json",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "application/json",
		"application/x-ndjson": lineType, "application/ndjson": lineType, "application/x-ndjson, application/json": lineType,
		"application/json;q=0, application/x-ndjson": lineType, "text/csv": csv, "text/*": csv, "text/csv;q=0.000,*/*": "application/json",
		"text/html": "", "application/xml": "", "nonsense": "", "text/csv;q=0": "", ",": "",
	} {
		for _, path := range []string{"/v1/events", "/events/", "/v1/sessions/" + session + "/events"} {
			answer := s.Do(t, http.MethodGet, path, "", "Accept", accept)
			if kind == "" {
				requireProblem(t, answer, http.StatusNotAcceptable, "not_acceptable")
				continue
			}

			require.Equal(t, http.StatusOK, answer.Status, "%s: %s", accept, answer.Body)
			require.Equal(t, kind, answer.Header.Get("Content-Type"), accept)
		}
	}
}
