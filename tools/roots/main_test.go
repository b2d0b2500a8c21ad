package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRootsAreCertificatesOfAuthorities(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	require.NoError(t, writeRoots(&text))
	count := 0
	for rest := text.Bytes(); len(rest) > 0; count++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		require.NotNil(t, block)
		root, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		require.True(t, root.IsCA, root.Subject)
	}

	require.Greater(t, count, 100)
}
