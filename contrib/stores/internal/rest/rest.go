// Package rest is JSON over HTTP, as databases speak it.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client speaks to one server.
type Client struct {
	base string
	http *http.Client
}

// Failed is an answer that is an error.
type Failed struct {
	Code int
	Said string
}

func (f *Failed) Error() string { return fmt.Sprintf("the server says %d: %.500s", f.Code, f.Said) }

// New makes a client of a URL such as chroma+http://127.0.0.1:8000.
func New(address, scheme string) (*Client, error) {
	plain, ok := strings.CutPrefix(address, scheme+"+")
	u, err := url.Parse(plain)
	if err != nil || !ok || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: %.100q, want %s+http://HOST:PORT or %s+https://HOST", scheme, address, scheme, scheme)
	}
	return &Client{strings.TrimSuffix(plain, "/"), &http.Client{}}, nil
}

// mostAnswer bounds an answer in bytes.
const mostAnswer = 256 << 20

// Do sends body, nil for none, and reads the answer into result, nil for none.
func (c *Client) Do(ctx context.Context, method, path string, body, result any) error {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(b)
	}
	return c.send(ctx, method, path, sent, result)
}

// Lines posts values as JSON, one a line.
func (c *Client) Lines(ctx context.Context, path string, values []any, result any) error {
	var sent bytes.Buffer
	lines := json.NewEncoder(&sent)
	for _, v := range values {
		if err := lines.Encode(v); err != nil {
			return err
		}
	}
	return c.send(ctx, http.MethodPost, path, &sent, result)
}

func (c *Client) send(ctx context.Context, method, path string, sent io.Reader, result any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return &Failed{answer.StatusCode, strings.TrimSpace(string(text))}
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("%s %s: the answer: %w", method, path, err)
	}
	return nil
}

// Close ends idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
