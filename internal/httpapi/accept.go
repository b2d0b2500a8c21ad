package httpapi

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/fault"
)

// format is a representation of a response.
type format int

const (
	formatJSON format = iota
	formatNDJSON
	formatCSV
)

// representations are those in which a route offers its response, the preferred one first.
type representations struct {
	// formats is empty if a response has no body.
	formats []format
	// streams means that every format but JSON is sent while it is read, without a length.
	streams bool
}

// representationsOf returns the representations that a route offers.
func representationsOf(r route) representations {
	switch r.method + " " + r.paths[0] {
	case "GET /v1/events", "GET /v1/sessions/:id/events":
		return representations{formats: []format{formatJSON, formatNDJSON, formatCSV}, streams: true}
	case "GET /v1/events/changes", "POST /v1/errors/replay", "POST /v1/errors/discard", "GET /v1/subjects":
		return representations{formats: []format{formatJSON, formatNDJSON}, streams: true}
	case "GET /v1/sessions", "GET /v1/errors", "GET /v1/audit":
		return representations{formats: []format{formatJSON, formatCSV}, streams: true}
	case "GET /v1/stats", "GET /v1/errors/stats", "GET /v1/errors/groups",
		"GET /v1/event-types", "GET /v1/event-types/:category/:name/versions":
		return representations{formats: []format{formatJSON, formatCSV}}
	case "DELETE /v1/events/:id", "DELETE /v1/event-types/:category/:name", "DELETE /v1/applications/:name/keys/:id":
		return representations{}
	}

	return representations{formats: []format{formatJSON}}
}

// negotiateFormat chooses the representation of a route's response before the route does any
// work.
func (a *api) negotiateFormat(offered representations) gin.HandlerFunc {
	return func(c *gin.Context) {
		if len(offered.formats) == 0 {
			return
		}

		chosen, err := chooseFormat(c.Request.Header.Values("Accept"), offered.formats)
		if err == nil && chosen != formatJSON && offered.streams && !c.Request.ProtoAtLeast(1, 1) {
			err = errUnframed()
		}

		if err != nil {
			a.sendProblem(c, err)
			return
		}

		requestStateOf(c).format = chosen
	}
}

// errUnframed rejects a stream to HTTP/1.0, in which a stream ends with the connection: an
// interrupted stream would look complete.
func errUnframed() error {
	return fault.New(fault.HTTPVersion, fault.CodeHTTPVersionNotSupported,
		"this answer is a stream, and in HTTP/1.0 an interrupted stream looks complete: use HTTP/1.1"+
			" (behind nginx: proxy_http_version 1.1), or accept application/json")
}

// mediaRange is an element of Accept.
type mediaRange struct {
	kind       string
	parameters map[string]string
	// quality is in thousandths; 0 excludes.
	quality int
}

// chooseFormat chooses the offered format of the highest quality (RFC 9110, section 12.5.1).
// Among equals it is the one that Accept names first, then the one that is offered first.
func chooseFormat(accept []string, offered []format) (format, error) {
	header := strings.Join(accept, ",")
	if header == "" || header == "*/*" || header == jsonType && offered[0] == formatJSON {
		return offered[0], nil
	}

	ranges := parseAccept(header)
	best := formatJSON
	bestQuality := 0
	bestPlace := 0
	for _, f := range offered {
		quality, place := rateFormat(ranges, f)
		if quality > bestQuality || quality == bestQuality && quality > 0 && place < bestPlace {
			best = f
			bestQuality = quality
			bestPlace = place
		}
	}

	if bestQuality == 0 {
		return 0, fault.New(fault.NotAcceptable, fault.CodeNotAcceptable, "accept "+joinMediaTypes(offered))
	}

	return best, nil
}

// parseAccept reads the elements of Accept. Elements that cannot be read are skipped.
func parseAccept(header string) []mediaRange {
	var ranges []mediaRange
	for item := range strings.SplitSeq(header, ",") {
		kind, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}

		if kind == "*" { // Java's URLConnection writes it so
			kind = "*/*"
		}

		quality, ok := parseQuality(parameters)
		if ok {
			ranges = append(ranges, mediaRange{kind, parameters, quality})
		}
	}

	return ranges
}

// parseQuality reads the quality of an element in thousandths.
func parseQuality(parameters map[string]string) (int, bool) {
	const one = 1000
	text, found := parameters["q"]
	if !found {
		return one, true
	}

	delete(parameters, "q")
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0 || value > 1 || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}

	return int(value*one + 0.5), true
}

// rateFormat returns the quality of a format, by the most specific range that covers it, and the
// place of that range.
func rateFormat(ranges []mediaRange, f format) (quality, place int) {
	best := 0
	for i, r := range ranges {
		if s := r.specificity(f); s > best {
			best = s
			quality = r.quality
			place = i
		}
	}

	return quality, place
}

// specificity returns how exactly a range names a format; 0 if it does not.
func (r mediaRange) specificity(f format) int {
	const everything, family, exact = 1, 2, 3
	kinds := f.mediaTypes()
	group, _, _ := strings.Cut(kinds[0], "/")
	if charset, named := r.parameters["charset"]; named && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return 0
	}

	switch {
	case f == formatCSV && r.parameters["header"] == "absent": // RFC 7111; this table has a header
		return 0
	case slices.Contains(kinds, r.kind):
		return exact
	case r.kind == group+"/*":
		return family
	case r.kind == "*/*":
		return everything
	}

	return 0
}

// mediaTypes returns the names of a format, the best known first.
func (f format) mediaTypes() []string {
	switch f {
	case formatNDJSON:
		return []string{"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
	case formatCSV:
		return []string{"text/csv"}
	case formatJSON:
	}

	return []string{jsonType}
}

// contentType returns the Content-Type of a response in the format.
func (f format) contentType() string {
	if f == formatCSV {
		return "text/csv; charset=utf-8; header=present"
	}

	return f.mediaTypes()[0]
}

// joinMediaTypes lists the offered media types, for people.
func joinMediaTypes(offered []format) string {
	names := make([]string, len(offered))
	for i, f := range offered {
		names[i] = f.mediaTypes()[0]
	}

	last := len(names) - 1
	if last == 0 {
		return names[0]
	}

	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// isHead reports whether the client receives no body.
func isHead(c *gin.Context) bool { return c.Request.Method == http.MethodHead }
