package browsersdk

import (
	"bytes"
	"crypto/sha512"
	_ "embed" // the script is part of the program
	"encoding/base64"
)

//go:embed eye.js
var script []byte

// Script returns the classic script, minified, in UTF-8: a copy, which the caller owns.
func Script() []byte {
	return bytes.Clone(script)
}

// Integrity returns the value of the attribute integrity of a script element that loads
// Script: "sha384-" and the digest in base64.
func Integrity() string {
	digest := sha512.Sum384(script)

	return "sha384-" + base64.StdEncoding.EncodeToString(digest[:])
}
