package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/erasure"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// deleteSession is DELETE /v1/sessions/{id}. It waits for the end of the erasure as long as a
// query may take; the erasure continues whether or not the client waits.
func (a *api) deleteSession(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	begun, err := a.Erasures.BeginErasure(ctx, erasure.Request{SessionIDs: []uuid.UUID{id}, MustExist: true})
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	found := a.Erasures.AwaitErasure(ctx, begun)
	if found.State() != erasure.Finished {
		a.sendErasureAccepted(c, &found)
		return
	}

	c.Header("Location", erasurePath(&found))
	a.sendJSON(c, http.StatusOK, struct {
		ID uuid.UUID `json:"session_id"`
		erasure.Counts
	}{id, found.Counts})
}

func erasurePath(e *erasure.Erasure) string { return "/v1/erasures/" + e.ID.String() }

// sendErasureAccepted answers that an erasure continues, and where to read its state.
func (a *api) sendErasureAccepted(c *gin.Context, begun *erasure.Erasure) {
	c.Header("Location", erasurePath(begun))
	a.sendJSON(c, http.StatusAccepted, begun)
}

// erasureBody selects what to erase.
type erasureBody struct {
	Data       map[string]json.RawMessage `json:"data"`
	SessionIDs []string                   `json:"session_ids"`
}

// postErasure is POST /v1/erasures.
func (a *api) postErasure(c *gin.Context) {
	var body erasureBody
	if !a.decodeBody(c, &body, "data", "session_ids") {
		return
	}

	request, err := body.toRequest()
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	begun, err := a.Erasures.BeginErasure(ctx, request)
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendErasureAccepted(c, &begun)
}

// toRequest reads the body. Its faults point into the body.
func (b *erasureBody) toRequest() (request erasure.Request, err error) {
	for i, text := range b.SessionIDs[:min(len(b.SessionIDs), erasure.MaxSessions+1)] {
		id, ok := query.ParseID(text)
		if !ok {
			return request, fault.InvalidAt(fault.CodeInvalidRequest, "/session_ids/"+strconv.Itoa(i), "a session's id is a UUID such as e2085be5-9137-4e4e-80b5-f1ffddc25423")
		}

		request.SessionIDs = append(request.SessionIDs, id)
	}

	for _, path := range slices.Sorted(maps.Keys(b.Data)) {
		pointer := "/data/" + escapePointer(path)
		steps, err := query.ParseDataPath(path)
		if err != nil {
			return request, fault.InvalidAt(fault.CodeInvalidRequest, pointer, fmt.Sprintf("a path is such as user.id, with a backslash before each dot of a name: %.128v", err))
		}

		text, ok := scalarText(b.Data[path])
		if !ok {
			return request, fault.InvalidAt(fault.CodeInvalidRequest, pointer, "a value is a string, a number without an exponent, true or false")
		}

		request.Values = append(request.Values, erasure.Value{Path: steps.String(), Steps: steps, Text: text})
	}

	return request, request.Validate()
}

// scalarText returns the text of a JSON value by which payloads are compared.
func scalarText(value json.RawMessage) (text string, ok bool) {
	var quoted string
	if json.Unmarshal(value, &quoted) == nil && string(value) != "null" {
		return quoted, true
	}

	switch text = string(value); text[0] {
	case '{', '[', 'n':
		return "", false
	case 't', 'f':
		return text, true
	}

	return text, !strings.ContainsAny(text, "eE") // the database writes all digits of a number
}

// getErasure is GET /v1/erasures/{id}.
func (a *api) getErasure(c *gin.Context) {
	id, ok := a.readPathID(c)
	if !ok {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	found, err := a.Erasures.FindErasure(ctx, id)
	if err = hideInvisible(err, true); err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendJSON(c, http.StatusOK, &found)
}
