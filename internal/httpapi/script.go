package httpapi

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/browsersdk"
)

// scriptPath is where pages load the client for browsers from. It is not an operation of the API.
const scriptPath = "/eye.js"

// sendScript returns the handler of scriptPath. The script is the same for all and public. An
// hour after an upgrade every page has the new one.
func sendScript() gin.HandlerFunc {
	plain := browsersdk.Script()
	packed := compressScript(plain)
	digest := strings.TrimPrefix(browsersdk.Integrity(), "sha384-")
	return func(c *gin.Context) {
		content := plain
		tag := `"` + digest + `"`
		header := c.Writer.Header()
		if acceptsGzip(c.Request.Header.Values("Accept-Encoding")) {
			content = packed
			tag = `"` + digest + `-gzip"`
			header.Set("Content-Encoding", "gzip")
		}

		header.Set("Content-Type", "text/javascript; charset=utf-8")
		header.Set("Cache-Control", "public, max-age=3600")
		header.Set("ETag", tag)
		header.Set("Vary", "Accept-Encoding")
		header.Set(allowOriginHeader, "*") // the attribute integrity needs it
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(content))
	}
}

// acceptsGzip reports whether Accept-Encoding names gzip, with a quality that does not exclude it.
func acceptsGzip(header []string) bool {
	return slices.ContainsFunc(parseAccept(strings.Join(header, ",")), func(r mediaRange) bool {
		return (r.kind == "gzip" || r.kind == "x-gzip") && r.quality > 0
	})
}

func compressScript(plain []byte) []byte {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // the level is valid
	_, _ = w.Write(plain)                                      // a buffer takes everything
	_ = w.Close()
	return packed.Bytes()
}
