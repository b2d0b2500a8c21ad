package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/query"
)

// lost is a store that fails after a page of events.
type lost struct{ asked int }

// Events implements query.EventStore.
func (l *lost) Events(_ context.Context, _ query.EventFilter, _ *query.Position, limit int, yield func(event.Stored) bool) error {
	if l.asked++; l.asked > 1 {
		return errors.New("the database is gone")
	}

	for n := range limit {
		e := event.Stored{}
		e.Sequence, e.Data, e.Timestamp = int64(n+1), []byte(`{}`), time.Unix(int64(n), 0)
		if !yield(e) {
			return nil
		}
	}

	return nil
}

// Event implements query.EventStore.
func (l *lost) Event(context.Context, uuid.UUID) (event.Stored, error) {
	return event.Stored{}, errors.New("the database is gone")
}

// A stream that could not be finished does not look complete in HTTP/1.1, nor in HTTP/2, which a
// proxy in the same process may use.
func TestCutStreamsEndInAnErrorForClients(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		for _, f := range []format{formatNDJSON, formatCSV} {
			a := &api{Deps: Deps{Finder: &query.Finder{EventStore: &lost{}}, Logger: zap.NewNop(), Now: time.Now}}
			a.responses.limit, a.responses.byKey = 1<<20, map[string]int64{}
			router := gin.New()
			router.GET("/", func(c *gin.Context) { a.streamEvents(c, f, query.EventFilter{}, "", 0) })
			server := httptest.NewUnstartedServer(router)
			server.EnableHTTP2 = http2
			server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
			server.StartTLS()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
			require.NoError(t, err)
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, http2, response.ProtoMajor == 2)
			text, err := io.ReadAll(response.Body)
			require.Error(t, err, "HTTP/%d", response.ProtoMajor)
			require.NotEmpty(t, text)
			require.NoError(t, response.Body.Close())
			server.Close()
		}
	}
}
