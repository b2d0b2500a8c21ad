package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/the-eye-events/the-eye/internal/access"
	"github.com/the-eye-events/the-eye/internal/config"
	"github.com/the-eye-events/the-eye/internal/fault"
)

// envFile is the file that a shell sources to use the development service.
const envFile = "dev.env"

// The application of the development service, and the description of its keys.
const (
	demoName        = "demo"
	demoDescription = "theeye dev"
)

// demoEnv is the content of dev.env.
type demoEnv struct {
	url         string
	opsURL      string
	databaseURL string
	dataDir     string
	ingestKey   string
	readKey     string
	adminKey    string
	publicKey   string
}

func (d *demoEnv) variables() [][2]string {
	return [][2]string{
		{"THEEYE_URL", d.url},
		{"THEEYE_OPS_URL", d.opsURL},
		{"THEEYE_INGEST_KEY", d.ingestKey},
		{"THEEYE_READ_KEY", d.readKey},
		{"THEEYE_ADMIN_KEY", d.adminKey},
		{"THEEYE_PUBLIC_KEY", d.publicKey},
		{"THEEYE_DATABASE_URL", d.databaseURL},
	}
}

// createDemoKeys creates the application demo and its keys. It reuses the keys of the
// last start while they are valid; only the file has their text.
func createDemoKeys(ctx context.Context, c config.Config, path string) (*demoEnv, error) {
	before := readEnv(path)
	d := &demoEnv{}
	err := WithAdmin(ctx, c, func(r *access.Registry) error {
		_, err := r.CreateApplication(ctx, access.ApplicationSpec{Name: demoName})
		if err != nil && !fault.Is(err, fault.CodeAlreadyExists) {
			return err
		}

		stored, err := r.ListKeys(ctx, demoName)
		if err != nil {
			return err
		}

		for _, want := range []struct {
			text     *string
			variable string
			spec     access.KeySpec
		}{
			{&d.ingestKey, "THEEYE_INGEST_KEY", access.KeySpec{Scopes: []access.Scope{access.ScopeIngest}}},
			{&d.readKey, "THEEYE_READ_KEY", access.KeySpec{Scopes: []access.Scope{access.ScopeRead}, OrganisationWide: true}},
			{&d.adminKey, "THEEYE_ADMIN_KEY", access.KeySpec{Scopes: []access.Scope{access.ScopeAdmin}}},
			{&d.publicKey, "THEEYE_PUBLIC_KEY", access.KeySpec{PublicUse: access.PublicUse{Public: true, AnyOrigin: true}}}, // a page may be a file
		} {
			if *want.text = before[want.variable]; isValidKey(*want.text, stored) {
				continue
			}

			want.spec.Description = demoDescription
			created, err := r.CreateKey(ctx, demoName, want.spec)
			if err != nil {
				return err
			}

			*want.text = created.Text
		}

		return nil
	})
	return d, err
}

// isValidKey reports whether a key of the last start still works.
func isValidKey(text string, stored []access.Key) bool {
	id, _, ok := access.ParseKey(text)
	for _, key := range stored {
		if ok && key.ID == id && key.RevokedAt == nil && (key.ExpiresAt == nil || key.ExpiresAt.After(time.Now())) {
			return true
		}
	}

	return false
}

// readEnv reads the file of writeEnv.
func readEnv(path string) map[string]string {
	found := map[string]string{}
	text, err := os.ReadFile(path) //nolint:gosec // theeye dev wrote the file
	if err != nil {
		return found // the first start
	}

	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if ok {
			found[name] = strings.Trim(value, "'")
		}
	}

	return found
}

// writeEnv writes dev.env atomically, and readable only by its owner.
func (d *demoEnv) writeEnv(path string) error {
	var b bytes.Buffer
	b.WriteString("# Written by theeye dev at every start. Use it with: source " + envFile + "\n")
	for _, v := range d.variables() {
		fmt.Fprintf(&b, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}

	if program, err := os.Executable(); err == nil { // this puts theeye on the PATH, as the documents assume
		fmt.Fprintf(&b, "export PATH='%s':\"$PATH\"\n", strings.ReplaceAll(filepath.Dir(program), "'", `'\''`))
	}

	temporary, err := os.CreateTemp(filepath.Dir(path), envFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", envFile, err)
	}
	defer os.Remove(temporary.Name()) //nolint:errcheck // it is renamed on success

	if _, err = temporary.Write(b.Bytes()); err == nil {
		err = temporary.Close()
	}

	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}

	if err != nil {
		return fmt.Errorf("write %s: %w", envFile, err)
	}

	return nil
}

// printGreeting prints the address of the service, and how to post and read the first event.
func (d *demoEnv) printGreeting(out io.Writer, path string) error {
	_, err := fmt.Fprintf(out, `
The Eye is ready. Open %[1]s in a browser.

Post an event:

  curl -sS %[1]s/v1/events \
    -H 'Authorization: Bearer %[2]s' \
    -H 'Content-Type: application/json' \
    -d '{"session_id":"0190163d-8694-739b-aea5-966c26f8ad91","category":"page interaction","name":"pageview","data":{"host":"www.example.com","path":"/"},"timestamp":"2021-01-01 09:15:27.243860"}'

Read it back:

  curl -sS %[1]s/v1/sessions/0190163d-8694-739b-aea5-966c26f8ad91/events \
    -H 'Authorization: Bearer %[3]s'

Send from a page, even one that is a file:

  <script src="%[1]s/eye.js" data-key="%[6]s" async></script>

The keys of the application "demo" are in %[4]s: source it.
The data is in %[5]s.
Ctrl-C stops the service and its Postgres; the data stays.

`, d.url, d.ingestKey, d.readKey, path, d.dataDir, d.publicKey)
	if err != nil {
		return fmt.Errorf("print the greeting: %w", err)
	}

	return nil
}
