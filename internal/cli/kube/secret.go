package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ServiceAccountFolder is where the kubelet puts the token of a pod's account.
const ServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

const (
	// callTimeout bounds each call.
	callTimeout = 10 * time.Second
	// maxResponseBytes bounds what is read of an answer; a Secret holds 1 MiB at most.
	maxResponseBytes = 4 << 20
)

var (
	// ErrNotInCluster tells that this process does not run in a pod with a token.
	ErrNotInCluster = errors.New("no account of Kubernetes is at hand")
	// ErrNoSecret tells that there is no Secret of this name.
	ErrNoSecret = errors.New("there is no such Secret")
	// ErrConflict tells that somebody changed the Secret since it was read; nothing was written.
	ErrConflict = errors.New("the Secret was changed by somebody else")
	// ErrRejected tells that the API said no; nothing was written.
	ErrRejected = errors.New("the API of Kubernetes refuses")
)

// Config says where the API is and who asks.
type Config struct {
	// URL is the API's, without a path.
	URL string
	// Namespace is that of the Secrets.
	Namespace string
	// Token is sent with each call. It is never part of an error.
	Token string
	// CA signs the API's certificate, as PEM.
	CA []byte
}

// InClusterConfig reads the account that the kubelet gave the pod from a folder, and takes the
// address from what it set in the environment.
func InClusterConfig(host, port, folder string) (Config, error) {
	if host == "" || port == "" {
		return Config{}, fmt.Errorf("%w: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set", ErrNotInCluster)
	}

	c := Config{URL: "https://" + net.JoinHostPort(host, port)}
	for name, take := range map[string]func([]byte){
		"token":     func(text []byte) { c.Token = strings.TrimSpace(string(text)) },
		"namespace": func(text []byte) { c.Namespace = strings.TrimSpace(string(text)) },
		"ca.crt":    func(text []byte) { c.CA = text },
	} {
		text, err := os.ReadFile(filepath.Join(folder, name)) //nolint:gosec // the kubelet's folder
		if err != nil {
			return Config{}, fmt.Errorf("%w: %w", ErrNotInCluster, err)
		}

		take(text)
	}

	return c, nil
}

// Client reads and fills Secrets. It is safe for concurrent use.
type Client struct {
	config Config
	client *http.Client
}

// New makes a client, or tells that the certificate cannot be read.
func New(config Config) (*Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(config.CA) {
		return nil, fmt.Errorf("%w: its certificate cannot be read", ErrNotInCluster)
	}

	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	return &Client{config: config, client: &http.Client{Transport: transport, Timeout: callTimeout}}, nil
}

// Secret is what is known of one.
type Secret struct {
	// Name is its name.
	Name string
	// Data is what it holds.
	Data map[string][]byte
	// version changes with every change of it.
	version string
}

type secretObject struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"` //nolint:tagliatelle // Kubernetes' name
	} `json:"metadata"`
	Data map[string][]byte `json:"data,omitempty"`
}

// ReadSecret reads one. It returns ErrNoSecret when there is none of this name.
func (c *Client) ReadSecret(ctx context.Context, name string) (Secret, error) {
	found, err := c.callAPI(ctx, http.MethodGet, name, nil)
	if err != nil {
		return Secret{}, fmt.Errorf("read Secret %s: %w", name, err)
	}

	return Secret{Name: name, Data: found.Data, version: found.Metadata.ResourceVersion}, nil
}

// FillSecret adds to a Secret what it does not hold. It returns ErrTaken, and has written
// nothing, when the Secret was changed since it was read or holds one of the keys; and
// ErrRefused when nothing was written for another reason. After any other error nobody
// knows: read it again.
func (c *Client) FillSecret(ctx context.Context, secret Secret, data map[string][]byte) error {
	for key := range data {
		if len(secret.Data[key]) > 0 {
			return fmt.Errorf("fill Secret %s: %w: it holds %s", secret.Name, ErrConflict, key)
		}
	}

	var patch secretObject
	// With the version the API refuses the change when somebody was faster.
	patch.Metadata.ResourceVersion, patch.Data = secret.version, data
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("fill Secret %s: %w", secret.Name, err)
	}

	if _, err := c.callAPI(ctx, http.MethodPatch, secret.Name, body); err != nil {
		return fmt.Errorf("fill Secret %s: %w", secret.Name, err)
	}

	return nil
}

func (c *Client) callAPI(ctx context.Context, method, name string, body []byte) (secretObject, error) {
	target, err := url.JoinPath(c.config.URL, "api/v1/namespaces", url.PathEscape(c.config.Namespace), "secrets", url.PathEscape(name))
	if err != nil {
		return secretObject{}, fmt.Errorf("%w: %w", ErrNotInCluster, err)
	}

	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return secretObject{}, fmt.Errorf("%w: %w", ErrNotInCluster, err)
	}

	request.Header.Set("Authorization", "Bearer "+c.config.Token)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}

	response, err := c.client.Do(request)
	if err != nil {
		return secretObject{}, fmt.Errorf("call the API of Kubernetes: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err != nil {
		return secretObject{}, fmt.Errorf("read the answer of the API of Kubernetes: %w", err)
	}

	if err := statusError(response.StatusCode, text); err != nil {
		return secretObject{}, err
	}

	var found secretObject
	if err := json.Unmarshal(text, &found); err != nil {
		return secretObject{}, fmt.Errorf("read the answer of the API of Kubernetes: %w", err)
	}

	return found, nil
}

// statusError turns a status into an error. What a 5xx did is not known.
func statusError(status int, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) != nil || said.Message == "" {
		said.Message = http.StatusText(status)
	}

	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNoSecret, said.Message)
	case status == http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrConflict, said.Message)
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		return fmt.Errorf("%w: %d: %s", ErrRejected, status, said.Message)
	}

	return fmt.Errorf("the API of Kubernetes answers %d: %s", status, said.Message)
}
