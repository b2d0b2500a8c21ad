package httpapi_test

import (
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/browsersdk"
	"github.com/the-eye-events/the-eye/internal/testing/apptest"
)

// A page on any origin can load the script with the integrity that the commands print.
func TestScriptIsServedToEveryPage(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, nil)
	client := s.WithKey("")
	plain := client.Do(t, http.MethodGet, "/eye.js", "", "Origin", "https://shop.example", "Accept", "*/*", "Accept-Encoding", "identity")
	require.Equal(t, http.StatusOK, plain.Status)
	require.Equal(t, "text/javascript; charset=utf-8", plain.Header.Get("Content-Type"))
	require.Equal(t, "*", plain.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "cross-origin", plain.Header.Get("Cross-Origin-Resource-Policy"))
	require.Equal(t, "public, max-age=3600", plain.Header.Get("Cache-Control"))
	digest := sha512.Sum384(plain.Body)
	require.Equal(t, browsersdk.Integrity(), "sha384-"+base64.StdEncoding.EncodeToString(digest[:]))

	packed := client.Do(t, http.MethodGet, "/eye.js", "", "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
	r, err := gzip.NewReader(strings.NewReader(string(packed.Body)))
	require.NoError(t, err)
	unpacked, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, string(plain.Body), string(unpacked))

	for accepted, coding := range map[string]string{"GZIP": "gzip", "br;q=1, gzip;q=0.5": "gzip", "gzip;q=0": "", "gzip;q=0.000, br": "", "notgzip": ""} {
		answer := client.Do(t, http.MethodGet, "/eye.js", "", "Accept-Encoding", accepted)
		require.Equal(t, coding, answer.Header.Get("Content-Encoding"), accepted)
	}

	for _, answer := range []*apptest.Answer{plain, packed} {
		again := client.Do(t, http.MethodGet, "/eye.js", "", "If-None-Match", answer.Header.Get("ETag"), "Accept-Encoding", answer.Header.Get("Content-Encoding"))
		require.Equal(t, http.StatusNotModified, again.Status)
		require.Equal(t, "Accept-Encoding", again.Header.Get("Vary"))
		require.Equal(t, "*", again.Header.Get("Access-Control-Allow-Origin"))
	}

	head := client.Do(t, http.MethodHead, "/eye.js", "")
	require.Equal(t, http.StatusOK, head.Status)
	require.Equal(t, http.StatusMethodNotAllowed, client.Do(t, http.MethodPost, "/eye.js", "").Status)
}
