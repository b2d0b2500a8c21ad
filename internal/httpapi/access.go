package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// createApplication is POST /v1/applications.
func (a *api) createApplication(c *gin.Context) {
	var spec access.ApplicationSpec
	if !a.decodeBody(c, &spec, "name", "disabled", "rate_limit", "allowed_origins") {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	created, err := a.Registry.CreateApplication(ctx, spec)
	if err == nil {
		c.Header("Location", "/v1/applications/"+created.Name)
	}

	a.sendResult(c, http.StatusCreated, created, err)
}

// listApplications is GET /v1/applications.
func (a *api) listApplications(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	applications, err := a.Registry.ListApplications(ctx)
	a.sendResult(c, http.StatusOK, gin.H{"applications": applications}, err)
}

// getApplication is GET /v1/applications/{name}.
func (a *api) getApplication(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	application, err := a.Registry.FindApplication(ctx, pathText(c, "name"))
	a.sendResult(c, http.StatusOK, application, err)
}

// patchApplication is PATCH /v1/applications/{name}.
func (a *api) patchApplication(c *gin.Context) {
	var patch access.ApplicationPatch
	if !a.decodeBody(c, &patch, "disabled", "rate_limit", "allowed_origins") {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	changed, err := a.Registry.UpdateApplication(ctx, pathText(c, "name"), patch)
	a.sendResult(c, http.StatusOK, changed, err)
}

// createKey is POST /v1/applications/{name}/keys. The key is shown here, once.
func (a *api) createKey(c *gin.Context) {
	var spec access.KeySpec
	if !a.decodeBody(c, &spec, "scopes", "organisation_wide", "description", "expires_at", "public", "any_origin", "registered_only", "rate_limit") {
		return
	}

	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	created, err := a.Registry.CreateKey(ctx, pathText(c, "name"), spec)
	a.sendResult(c, http.StatusCreated, created, err)
}

// listKeys is GET /v1/applications/{name}/keys.
func (a *api) listKeys(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.ReadTimeout)
	defer cancel()

	keys, err := a.Registry.ListKeys(ctx, pathText(c, "name"))
	a.sendResult(c, http.StatusOK, gin.H{"keys": keys}, err)
}

// revokeKey is DELETE /v1/applications/{name}/keys/{id}.
func (a *api) revokeKey(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.Budget)
	defer cancel()

	if err := a.Registry.RevokeKey(ctx, pathText(c, "name"), pathText(c, "id")); err != nil {
		a.sendProblem(c, err)
		return
	}

	c.Status(http.StatusNoContent)
}

// sendResult sends a document, or a problem for an error.
func (a *api) sendResult(c *gin.Context, status int, document any, err error) {
	if err != nil {
		a.sendProblem(c, err)
		return
	}

	a.sendJSON(c, status, document)
}

// decodeBody reads a body that is one JSON object with known members. On failure it answers the
// request itself.
func (a *api) decodeBody(c *gin.Context, into any, members ...string) bool {
	return a.decodeBodyWithin(c, a.Rules, into, members...)
}

// decodeBodyWithin is decodeBody within the limits of rules.
func (a *api) decodeBodyWithin(c *gin.Context, rules *event.Rules, into any, members ...string) bool {
	body, err := a.readDocument(c, "application/json")
	if err == nil {
		err = decodeDocument(body, rules, into, members)
	}

	if err != nil {
		a.sendProblem(c, err)
		return false
	}

	return true
}

func decodeDocument(body []byte, rules *event.Rules, into any, members []string) error {
	if err := event.CheckObject(body, rules); err != nil {
		if f, ok := fault.As(err); ok && f.Code == fault.CodeInvalidEvent {
			return &fault.Error{Kind: f.Kind, Code: fault.CodeInvalidRequest, Detail: f.Detail, Violations: f.Violations}
		}

		return err
	}

	var found map[string]json.RawMessage
	if err := json.Unmarshal(body, &found); err != nil {
		return fmt.Errorf("decode a document: %w", err)
	}

	var unknown []fault.Violation
	for name := range found {
		if !slices.Contains(members, name) {
			unknown = append(unknown, fault.Violation{
				Pointer: "/" + escapePointer(name),
				Code:    fault.CodeUnknownField,
				Detail:  "no such member; there are: " + strings.Join(members, ", "),
			})
		}
	}

	if len(unknown) > 0 {
		slices.SortFunc(unknown, func(x, y fault.Violation) int { return strings.Compare(x.Pointer, y.Pointer) })
		return &fault.Error{
			Kind:       fault.Invalid,
			Code:       fault.CodeInvalidRequest,
			Detail:     unknown[0].Detail,
			Violations: unknown[:min(len(unknown), event.MaxViolations)],
		}
	}

	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		pointer := "/" + strings.ReplaceAll(wrong.Field, ".", "/")
		return &fault.Error{
			Kind:       fault.Invalid,
			Code:       fault.CodeInvalidRequest,
			Detail:     "a member has the wrong type",
			Violations: []fault.Violation{{Pointer: pointer, Code: fault.CodeInvalidType, Detail: "must be " + describeType(wrong.Type) + "; got: " + wrong.Value}},
		}
	}

	return findUnreadableMember(found, into)
}

// describeType names what JSON has for a type of Go.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "a string"
	}
}

// escapePointer escapes a member's name for a JSON Pointer (RFC 6901).
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// findUnreadableMember finds the member that has the right type and cannot be read: a time.
func findUnreadableMember(found map[string]json.RawMessage, into any) error {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: found[name]})
		if err == nil && json.Unmarshal(one, into) != nil {
			return &fault.Error{
				Kind:       fault.Invalid,
				Code:       fault.CodeInvalidRequest,
				Detail:     "a member cannot be read",
				Violations: []fault.Violation{{Pointer: "/" + name, Code: fault.CodeInvalidTimestamp, Detail: name + " must be a time such as 2021-01-01T09:15:27Z"}},
			}
		}
	}

	return fault.New(fault.Invalid, fault.CodeInvalidRequest, "the document cannot be read")
}
