package limits

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// connection is a keep-alive HTTP/1.1 connection with just the functions that a load generator
// needs, to use little of the machine: it writes whole requests at once, and reads the status
// and the length of a response. A response without Content-Length is an error. It is not safe
// for concurrent use.
type connection struct {
	net.Conn

	reader *bufio.Reader
}

func dialConnection(address string) (*connection, error) {
	c, err := net.Dial("tcp", address) //nolint:noctx // to a process on this machine
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}

	return &connection{Conn: c, reader: bufio.NewReaderSize(c, 16<<10)}, nil
}

var errShortHeader = errors.New("the response has no status line or no Content-Length")

// roundTrip sends a request and returns the status of its response.
func (c *connection) roundTrip(request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, fmt.Errorf("send a request: %w", err)
	}

	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("read a response: %w", err)
	}

	if len(line) < len("HTTP/1.1 200") {
		return 0, errShortHeader
	}

	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errShortHeader
	}

	length := -1
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return 0, fmt.Errorf("read a response: %w", err)
		}

		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}

		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, errShortHeader
			}
		}
	}

	if length < 0 {
		return 0, errShortHeader
	}

	if _, err := io.CopyN(io.Discard, c.reader, int64(length)); err != nil {
		return 0, fmt.Errorf("read a response: %w", err)
	}

	return status, nil
}
