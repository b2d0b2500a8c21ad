package limits

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
)

// ServeBaseline serves the limit of the HTTP server: Gin reads each request to its end,
// validates and stores nothing, and answers 201 with as many bytes as a verdict has. It has
// none of the service's code and no middleware, and collects garbage as seldom as the service
// does. It serves until ctx ends.
func ServeBaseline(ctx context.Context, listener net.Listener) error {
	const percent = 400 // as in cmd/theeye

	debug.SetGCPercent(percent)
	gin.SetMode(gin.ReleaseMode)

	router := gin.New()
	answer := []byte(`{"event_id":"0190163d-8694-739b-aea5-966c26f8ad91","status":"stored","sequence":1}`)
	router.POST("/v1/events", func(c *gin.Context) {
		body := make([]byte, max(c.Request.ContentLength, 0))
		if _, err := io.ReadFull(c.Request.Body, body); err != nil {
			c.Status(http.StatusBadRequest)
			return
		}

		header := c.Writer.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(answer)))
		c.Status(http.StatusCreated)
		_, _ = c.Writer.Write(answer) // a client that is gone gets no answer
	})

	const timeout = time.Minute
	server := &http.Server{
		Handler:           router,
		ReadHeaderTimeout: timeout,
		ReadTimeout:       timeout,
		WriteTimeout:      timeout,
		IdleTimeout:       timeout,
	}

	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()

	if err := server.Serve(listener); ctx.Err() == nil {
		return err //nolint:wrapcheck // says enough
	}

	return nil
}
