// Package hub finds models by name: on this machine, in the cache that Python's
// huggingface_hub keeps, and on the Hugging Face hub.
//
//	model, err := hub.Load(ctx, "openai/clip-vit-base-patch32", nil)
//
// A name is one of these; a path of this machine goes before all of them.
//
//   - openai/clip-vit-base-patch32: a repository of the hub, also with a branch, tag or
//     commit behind an @;
//   - hf-hub:timm/ViT-B-16-SigLIP2: the same as open_clip writes it, with open_clip's
//     files first where a repository has others too;
//   - ViT-B-32/laion2b_s34b_b79k: a model and a tag of open_clip's, all that 3.3.0 knows
//     ([Tags]);
//   - ViT-B-32__laion2b-s34b-b79k: the same as Immich writes it;
//   - XLM-Roberta-Large-Vit-B-32 and three more: a text tower of M-CLIP with its image
//     model, as Immich calls the two.
//
// The cache has the layout of huggingface_hub, in which each finds what the other
// downloaded, and the environment variables are its own: HF_HOME, HF_HUB_CACHE,
// HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HUB_DISABLE_SYMLINKS,
// HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_DOWNLOAD_TIMEOUT, XDG_CACHE_HOME and those of
// older versions (HUGGINGFACE_HUB_CACHE, HUGGING_FACE_HUB_TOKEN, TRANSFORMERS_OFFLINE).
//
// # What is trusted
//
// Every file is compared with the hash that the hub gave for it, the SHA-256 of large ones
// and git's SHA-1 of small ones. The token is sent to the endpoint alone, never to a host
// that it redirects to. Names of files are checked before they become paths, and sizes
// before they are written. Of the files of a repository only those are fetched that
// a model is loaded from, and of weights safetensors before pickles.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/goclip/goclip/encoder"
)

// Client finds and downloads models. The zero value works: a field that is not set is
// what the environment says, and its default otherwise. A Client may be used from several
// goroutines at once, unless its fields are being changed.
type Client struct {
	// Endpoint is the address of the hub or of a mirror. Default: HF_ENDPOINT,
	// https://huggingface.co.
	Endpoint string
	// Cache is the folder of the cache. Default: HF_HUB_CACHE, HF_HOME/hub,
	// ~/.cache/huggingface/hub.
	Cache string
	// OpenCLIPCache is where open_clip keeps weights that come from elsewhere than the hub.
	// Default: ~/.cache/clip.
	OpenCLIPCache string
	// Token gives access to what is not public. Default: HF_TOKEN, the file that
	// "hf auth login" writes.
	Token string
	// Offline makes no request. HF_HUB_OFFLINE does too.
	Offline bool
	// Stall is for how long a server may send nothing. Default:
	// HF_HUB_DOWNLOAD_TIMEOUT, 30 seconds.
	Stall time.Duration
	// MaxBytes limits what one name may take of the disk. Default: 64 GiB.
	MaxBytes int64
	// Transport makes the requests. Default: [http.DefaultTransport].
	Transport http.RoundTripper
	// Progress is told how a download is going, several times a second, by one
	// goroutine at a time.
	Progress func(Progress)

	faults faults // for tests
}

// Progress says how far a download is.
type Progress struct {
	Name  string // of the model
	File  string // that is being fetched
	Done  int64  // bytes of all files that are there by now
	Total int64  // bytes of all files that are known of: an index of shards, once it is there, makes it more
	// Fetched are bytes that came over the network in this call, of which rates are made.
	Fetched int64
	// Waiting says why nothing moves: another process downloads the same file, or the
	// server asked to wait.
	Waiting string
}

// Errors that callers may want to tell apart.
var (
	// ErrNotFound: the hub has no such repository, revision or file.
	ErrNotFound = errors.New("not found")
	// ErrDenied: the hub wants a token, another one, or that its owner asks for access.
	ErrDenied = errors.New("access denied")
	// ErrOffline: a request would be needed, and none may be made.
	ErrOffline = errors.New("offline")
	// ErrBusy: the hub refuses so many requests for now.
	ErrBusy = errors.New("too many requests")
	// ErrCorrupt: what came is not what the hub announced. It is not kept.
	ErrCorrupt = errors.New("corrupt download")
	// ErrNotModel: the repository has no weights that goclip reads.
	ErrNotModel = errors.New("no model that goclip reads")
)

// Model is a model on this machine.
type Model struct {
	Name     string  // as it was asked for; the repository's in a list
	Path     string  // for [encoder.Load]: a folder, or a file of weights
	Repo     string  // on the hub; empty for a path
	Revision string  // branch, tag or commit that was asked for
	Commit   string  // that it stands for
	License  License // of the weights
	Bytes    int64   // of the files

	// Vocabulary is the folder of the tokenizer's files where Path has none, and
	// VocabularyLicense what its repository says of them.
	Vocabulary        string
	VocabularyLicense License

	// Image is the model whose image tower goes with the text tower at Path, where the name
	// stands for two models.
	Image *Model

	tag     *Tag
	partial bool // a tokenizer may be missing
}

// Load finds a model by name, downloads it where this machine has not got it, and loads
// it. It is [Client.Load] of a zero Client.
func Load(ctx context.Context, name string, opts *encoder.Options) (*encoder.Model, error) {
	return (&Client{}).Load(ctx, name, opts)
}

// Load finds a model by name, downloads it where this machine has not got it, and loads
// it. No request is made for a path, nor for a name whose files are here, whether Python
// downloaded them or goclip; [Client.Download] looks for a newer revision.
func (c *Client) Load(ctx context.Context, name string, opts *encoder.Options) (*encoder.Model, error) {
	found, err := c.Obtain(ctx, name)
	if err != nil {
		return nil, err
	}
	return found.Load(opts)
}

// Join loads the image tower of one model and the text tower of another, both by name, as
// one: see [encoder.Join]. So multilingual texts find their images:
//
//	hub.Join(ctx, "sentence-transformers/clip-ViT-B-32", "sentence-transformers/clip-ViT-B-32-multilingual-v1", nil)
//
// It is [Client.Join] of a zero Client.
func Join(ctx context.Context, image, text string, opts *encoder.Options) (*encoder.Model, error) {
	return (&Client{}).Join(ctx, image, text, opts)
}

// Join is [Join] with the settings of a client.
func (c *Client) Join(ctx context.Context, image, text string, opts *encoder.Options) (*encoder.Model, error) {
	images, err := c.Obtain(ctx, image)
	if err != nil {
		return nil, err
	}
	words, err := c.Obtain(ctx, text)
	if err != nil {
		return nil, err
	}
	if images.Image != nil {
		images = images.Image
	}
	words.Image = images
	return words.Load(opts)
}

// Obtain is [Client.Find], or [Client.Download] where that finds nothing whole.
func (c *Client) Obtain(ctx context.Context, name string) (*Model, error) {
	found, err := c.Find(name)
	if err == nil && !found.partial || err != nil && !errors.Is(err, ErrNotFound) {
		return found, err
	}
	all, err2 := c.Download(ctx, name)
	switch {
	case err2 == nil:
		return all, nil
	case err == nil && ctx.Err() == nil:
		return found, nil // the model without its words is better than none
	case errors.Is(err2, ErrOffline):
		return nil, fmt.Errorf("%w, and it is not in the cache (%s)", err2, c.cacheDir())
	}
	return nil, err2
}
