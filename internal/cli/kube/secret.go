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
	// maxResponseBytes bounds the length of an answer; a Secret holds 1 MiB at most.
	maxResponseBytes = 4 << 20
)

var (
	// ErrNotInCluster means that this process does not run in a pod with a token.
	ErrNotInCluster = errors.New("no Kubernetes service account is available")
	// ErrNoSecret means that no Secret has this name.
	ErrNoSecret = errors.New("the Secret does not exist")
	// ErrConflict means that another client changed the Secret since it was read; nothing was written.
	ErrConflict = errors.New("another client changed the Secret")
	// ErrRejected means that the API rejected the request; nothing was written.
	ErrRejected = errors.New("the Kubernetes API rejects the request")
)

// Config holds the address of the API and the account of this process.
type Config struct {
	// URL is the address of the API, without a path.
	URL string
	// Namespace is the namespace of the Secrets.
	Namespace string
	// Token is sent with each call. It is never part of an error.
	Token string
	// CA signs the API's certificate, as PEM.
	CA []byte
}

// InClusterConfig reads the service account from the folder in which the kubelet put it. The
// address of the API comes from the environment that the kubelet set.
func InClusterConfig(host, port, folder string) (Config, error) {
	if host == "" || port == "" {
		return Config{}, fmt.Errorf("%w: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set", ErrNotInCluster)
	}

	c := Config{URL: "https://" + net.JoinHostPort(host, port)}
	for name, set := range map[string]func([]byte){
		"token":     func(text []byte) { c.Token = strings.TrimSpace(string(text)) },
		"namespace": func(text []byte) { c.Namespace = strings.TrimSpace(string(text)) },
		"ca.crt":    func(text []byte) { c.CA = text },
	} {
		text, err := os.ReadFile(filepath.Join(folder, name)) //nolint:gosec // the kubelet's folder
		if err != nil {
			return Config{}, fmt.Errorf("%w: %w", ErrNotInCluster, err)
		}

		set(text)
	}

	return c, nil
}

// Client reads and fills Secrets. It is safe for concurrent use.
type Client struct {
	config Config
	client *http.Client
}

// New returns a client, or an error if the certificate cannot be read.
func New(config Config) (*Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(config.CA) {
		return nil, fmt.Errorf("%w: the certificate of the API cannot be read", ErrNotInCluster)
	}

	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	return &Client{config: config, client: &http.Client{Transport: transport, Timeout: callTimeout}}, nil
}

// Secret is a Secret as it was read.
type Secret struct {
	// Name is its name.
	Name string
	// Data is its content.
	Data map[string][]byte
	// version changes with every change of the Secret.
	version string
}

type secretObject struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"` //nolint:tagliatelle // Kubernetes' name
	} `json:"metadata"`
	Data map[string][]byte `json:"data,omitempty"`
}

// ReadSecret reads a Secret. It returns ErrNoSecret if none has this name.
func (c *Client) ReadSecret(ctx context.Context, name string) (Secret, error) {
	found, err := c.callAPI(ctx, http.MethodGet, name, nil)
	if err != nil {
		return Secret{}, fmt.Errorf("read Secret %s: %w", name, err)
	}

	return Secret{Name: name, Data: found.Data, version: found.Metadata.ResourceVersion}, nil
}

// FillSecret adds keys to a Secret. It writes nothing and returns ErrConflict if the Secret
// was changed since it was read, or holds one of the keys already; and ErrRejected if the API
// rejects the change. After any other error the outcome is unknown: read the Secret again.
func (c *Client) FillSecret(ctx context.Context, secret Secret, data map[string][]byte) error {
	for key := range data {
		if len(secret.Data[key]) > 0 {
			return fmt.Errorf("fill Secret %s: %w: it holds %s", secret.Name, ErrConflict, key)
		}
	}

	var patch secretObject
	// With the version, the API rejects the change if another client was faster.
	patch.Metadata.ResourceVersion = secret.version
	patch.Data = data
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
		return secretObject{}, fmt.Errorf("call the Kubernetes API: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was only read

	text, err := io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	if err != nil {
		return secretObject{}, fmt.Errorf("read the answer of the Kubernetes API: %w", err)
	}

	if err := statusError(response.StatusCode, text); err != nil {
		return secretObject{}, err
	}

	var found secretObject
	if err := json.Unmarshal(text, &found); err != nil {
		return secretObject{}, fmt.Errorf("read the answer of the Kubernetes API: %w", err)
	}

	return found, nil
}

// statusError turns a status into an error. After a 5xx the outcome is unknown.
func statusError(status int, body []byte) error {
	var problem struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Message == "" {
		problem.Message = http.StatusText(status)
	}

	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNoSecret, problem.Message)
	case status == http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrConflict, problem.Message)
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		return fmt.Errorf("%w: %d: %s", ErrRejected, status, problem.Message)
	}

	return fmt.Errorf("the Kubernetes API answers %d: %s", status, problem.Message)
}
