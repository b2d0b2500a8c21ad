package fault

// Code names one reason for a rejection. Codes are stable: clients branch on them and
// operators group by them. Every code of The Eye is listed here and nowhere else;
// docs/errors.md describes the fix for each.
type Code string

// Codes of whole requests.
const (
	CodeInternal                Code = "internal"
	CodeUnauthorized            Code = "unauthorized"
	CodeForbidden               Code = "forbidden"
	CodeNotFound                Code = "not_found"
	CodeMethodNotAllowed        Code = "method_not_allowed"
	CodeNotAcceptable           Code = "not_acceptable"
	CodeRequestTimeout          Code = "request_timeout"
	CodeBodyTooLarge            Code = "body_too_large"
	CodeBatchTooLarge           Code = "batch_too_large"
	CodeEmptyBatch              Code = "empty_batch"
	CodeUnsupportedMediaType    Code = "unsupported_media_type"
	CodeUnsupportedEncoding     Code = "unsupported_encoding"
	CodeInvalidEncoding         Code = "invalid_encoding"
	CodeInvalidEvent            Code = "invalid_event"
	CodeBatchRejected           Code = "batch_rejected"
	CodeInvalidRequest          Code = "invalid_request"
	CodeUnknownParameter        Code = "unknown_parameter"
	CodeInvalidParameter        Code = "invalid_parameter"
	CodeInvalidCursor           Code = "invalid_cursor"
	CodePreconditionFailed      Code = "precondition_failed"
	CodeAlreadyExists           Code = "already_exists"
	CodeRateLimited             Code = "rate_limited"
	CodeTooManyFailures         Code = "too_many_failures"
	CodeUnavailable             Code = "unavailable"
	CodeOverloaded              Code = "overloaded"
	CodeQueryTooSlow            Code = "query_too_slow"
	CodeInvalidSchema           Code = "invalid_schema"
	CodeInvalidHeader           Code = "invalid_header"
	CodeHeadersTooLarge         Code = "headers_too_large"
	CodeExpectationFailed       Code = "expectation_failed"
	CodeHTTPVersionNotSupported Code = "http_version_not_supported"
)

// Codes of single events, each at a pointer.
const (
	CodeInvalidJSON       Code = "invalid_json"
	CodeMalformedEvent    Code = "malformed_event"
	CodeTrailingText      Code = "trailing_text"
	CodeInvalidUTF8       Code = "invalid_utf8"
	CodeLoneSurrogate     Code = "lone_surrogate"
	CodeNULCharacter      Code = "nul_character"
	CodeDuplicateMember   Code = "duplicate_member"
	CodeNumberOutOfRange  Code = "number_out_of_range"
	CodeTooDeep           Code = "too_deep"
	CodeEventTooLarge     Code = "event_too_large"
	CodeMissingField      Code = "missing_field"
	CodeUnknownField      Code = "unknown_field"
	CodeInvalidType       Code = "invalid_type"
	CodeInvalidUUID       Code = "invalid_uuid"
	CodeNilUUID           Code = "nil_uuid"
	CodeReadOnlyField     Code = "read_only_field"
	CodeImportUnsupported Code = "import_unsupported"
	CodeInvalidLength     Code = "invalid_length"
	CodeInvalidTimestamp  Code = "invalid_timestamp"
	CodeTimestampInFuture Code = "timestamp_in_future"
	CodeTimestampTooOld   Code = "timestamp_too_old"
	CodeEventIDConflict   Code = "event_id_conflict"
	CodeEventIDImmutable  Code = "event_id_immutable"
	CodeSessionErased     Code = "session_erased"
	CodeEventErased       Code = "event_erased"
	CodeNotStorable       Code = "not_storable"
	CodeSchemaViolation   Code = "schema_violation"
	CodeUnknownEventType  Code = "unknown_event_type"
	CodeNotReplayable     Code = "not_replayable"
)
