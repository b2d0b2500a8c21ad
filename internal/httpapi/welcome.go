package httpapi

import (
	_ "embed" // the page
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed welcome.html
var welcomePage []byte

// welcomePolicy lets the page use only its own style, identified by its digest.
const welcomePolicy = "default-src 'none'; style-src 'sha256-4uKUCXVPfPFdlO6xrE2lchAsqHMhawmupT+TdGpoZzc='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// sendWelcome shows the available resources to a person who opens the service's address in a
// browser. It reports whether it did; every other request is answered as before. The page is the
// same for all and holds nothing of the service's data or settings.
func (a *api) sendWelcome(c *gin.Context) bool {
	reads := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
	if !reads || c.Request.URL.Path != "/" || !asksForHTML(c.Request.Header.Values("Accept")) {
		return false
	}

	x := requestStateOf(c)
	header := c.Writer.Header()
	x.setHeader(header, "Content-Security-Policy", welcomePolicy)
	x.setHeader(header, "Vary", "Accept")
	sendBody(c, http.StatusOK, "text/html; charset=utf-8", welcomePage)
	return true
}

// asksForHTML reports whether a client names HTML among the types that it accepts, as browsers
// do. A client that accepts anything is a program, and gets JSON.
func asksForHTML(accept []string) bool {
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, parameters, err := mime.ParseMediaType(item)
		if err != nil || media != "text/html" {
			continue
		}

		quality, given := parameters["q"]
		if !given {
			return true
		}

		weight, err := strconv.ParseFloat(quality, 64)
		return err == nil && weight > 0
	}

	return false
}
