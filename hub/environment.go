package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The environment is read at each use, since a Client has no constructor that could keep it.

const publicEndpoint = "https://huggingface.co"

func (c *Client) endpoint() string {
	return strings.TrimRight(firstOf(c.Endpoint, os.Getenv("HF_ENDPOINT"), publicEndpoint), "/")
}

// home is HF_HOME.
func home() string {
	return expand(firstOf(os.Getenv("HF_HOME"),
		filepath.Join(firstOf(os.Getenv("XDG_CACHE_HOME"), filepath.Join("~", ".cache")), "huggingface")))
}

func (c *Client) cacheDir() string {
	return firstOf(c.Cache, expand(firstOf(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"))), filepath.Join(home(), "hub"))
}

func (c *Client) openCLIPDir() string {
	return firstOf(c.OpenCLIPCache, expand(filepath.Join("~", ".cache", "clip")))
}

// token is what is sent to the endpoint, or nothing.
func (c *Client) token() string {
	if c.Token != "" {
		return strings.TrimSpace(c.Token)
	}
	if isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return ""
	}
	if t := strings.TrimSpace(firstOf(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))); t != "" {
		return t
	}
	text, err := readUpTo(firstOf(expand(os.Getenv("HF_TOKEN_PATH")), filepath.Join(home(), "token")), 1<<10)
	if err != nil {
		return "" // nobody has logged in
	}
	return strings.TrimSpace(string(text))
}

func (c *Client) offline() bool {
	return c.Offline || isTrue("HF_HUB_OFFLINE") || os.Getenv("HF_HUB_OFFLINE") == "" && isTrue("TRANSFORMERS_OFFLINE")
}

func (c *Client) stall() time.Duration {
	if c.Stall > 0 {
		return c.Stall
	}
	if s, err := strconv.Atoi(os.Getenv("HF_HUB_DOWNLOAD_TIMEOUT")); err == nil && s > 0 && s < 1<<20 {
		return time.Duration(s) * time.Second
	}
	return 30 * time.Second
}

func (c *Client) maxBytes() int64 {
	if c.MaxBytes > 0 {
		return c.MaxBytes
	}
	return 64 << 30
}

func isTrue(variable string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(os.Getenv(variable)))
}

// expand puts in variables and the home folder, as Python's expandvars and expanduser do.
func expand(path string) string {
	if path == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if dir, err := os.UserHomeDir(); err == nil {
			path = dir + rest
		}
	}
	return os.Expand(path, func(name string) string {
		if v, ok := os.LookupEnv(name); ok {
			return v
		}
		return "$" + name
	})
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
