package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goclip/goclip/convert"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/photos"
	"github.com/goclip/goclip/serve"
	"github.com/goclip/goclip/serve/page"
	"github.com/goclip/goclip/vision"
)

type serveCommand struct {
	precisionFlag
	draft bool // as the index is

	Model  []string `required:"" sep:"none" placeholder:"[NAME=]MODEL" help:"Model: a folder, a file of weights, or a name (goclip pull --help). May be given several times; the first one answers where a client names none. NAME is what clients call it; without, it is MODEL's own name or that of its folder."`
	Index  string   `placeholder:"[NAME=]FILE" help:"Index that goclip index wrote with the first model: for searches, and for a page in the browser, at /, to look at its photographs."`
	Listen string   `default:"127.0.0.1:3003" placeholder:"ADDR" help:"Address to listen on. :3003 is that of all networks."`

	Upright bool `help:"Turn photographs as their files say that they should be seen. Otherwise they are taken as they are stored, as the programs do whose places this takes; with --index, as the index says."`

	Key      []string `sep:"none" placeholder:"KEY" help:"API key that clients have to send, as in Authorization: Bearer KEY. May be given several times."`
	KeyFile  string   `placeholder:"FILE" help:"File of API keys, one a line, which no list of processes shows."`
	TLSCert  string   `placeholder:"FILE" name:"tls-cert" help:"Certificate for HTTPS, with those between it and a root, in PEM."`
	TLSKey   string   `placeholder:"FILE" name:"tls-key" help:"Key of the certificate, in PEM."`
	Upstream string   `placeholder:"URL" name:"immich-upstream" help:"Immich machine-learning server for the tasks that are not CLIP's: faces, text in images."`
	Fetch    bool     `name:"fetch-urls" help:"Fetch images that clients name by http and https addresses. Private addresses are never asked."`

	Idle        time.Duration `default:"5m" help:"Unload a model that was not used for so long; 0 for never."`
	ModelMemory string        `placeholder:"SIZE" help:"What models may take together, as 8GB; one that is not in use is unloaded for another. Default: no limit."`
	Batch       int           `default:"16" help:"Images or texts in one pass."`
	Wait        time.Duration `default:"3ms" help:"For how long the first of a pass waits for others."`
	Queue       int           `default:"256" help:"Images and texts under way at once; beyond, clients are told to come again (429)."`
	MaxBody     string        `default:"64MB" placeholder:"SIZE" help:"Largest request."`
	MaxPixels   int           `default:"134217728" help:"Largest image."`
	Stall       time.Duration `default:"20s" help:"Give up on a client that sends or takes nothing for so long."`
	Preload     bool          `help:"Load the first model before listening."`
	LogLevel    slog.Level    `default:"info" help:"Least level of log lines: debug, info, warn, error."`
}

func (serveCommand) Help() string {
	return `Answers over HTTP as the encoders of other programs do: Immich's machine learning (/predict), Weaviate's multi2vec-clip (/vectorize), OpenAI, infinity, Jina and vLLM (/v1/embeddings), photofield, clip-retrieval (/knn-service, with --index); and by goclip's own addresses, which /openapi.json describes. Without --listen only programs on this machine are answered.

With --index a browser shows the photographs at http://127.0.0.1:3003/. Whoever can reach the address can see them, unless keys are set.

    goclip serve --model ViT-B-32__openai --listen :3003
    goclip serve --model clip=./model --index photos.index --key-file keys.txt

Models are loaded when they are first used. An interrupt stops it after what is under way. The log on standard error is JSON lines, for a terminal plainer ones; no caption and no image is in it.`
}

func (c *serveCommand) Run(s *session) (err error) {
	var shown library
	o, err := c.options(s)
	if err != nil {
		return err
	}
	if c.Index != "" {
		name, path := named(c.Index)
		m, err := c.searched(s, o, path)
		if err != nil {
			return err
		}
		shown.path = path
		err = shown.open(m)
		if err = errors.Join(err, m.Close()); err != nil {
			return input(errors.Join(err, shown.Close()))
		}
		defer closing(&err, shown.Close)
		if o.Folder, err = photos.Folder(path); err != nil {
			return input(err)
		}
		o.Index, o.Thumbs, o.Page = shown.index, shown.thumbs, page.Handler()
		if name != "" {
			o.IndexNames = []string{name}
		}
	}
	listening, err := c.certificate()
	if err != nil {
		return err
	}
	server, err := serve.New(o)
	if err != nil {
		return coded{err, misuse}
	}
	defer closing(&err, server.Close)
	if c.Preload {
		if err := server.Preload(s); err != nil {
			return input(err)
		}
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return coded{err, misuse}
	}
	scheme := "http"
	if listening.Certificate != nil {
		scheme = "https"
	}
	o.Log.Info("listening", "address", scheme+"://"+l.Addr().String())
	if c.Index != "" {
		followed := make(chan struct{})
		ctx, stop := context.WithCancel(s)
		go func() { defer close(followed); shown.follow(ctx, server, o.Log) }()
		defer func() { stop(); <-followed }()
	}
	return serve.Run(s, server, l, listening)
}

// named divides NAME=PATH.
func named(flag string) (name, path string) {
	if before, after, ok := strings.Cut(flag, "="); ok && !strings.ContainsAny(before, `/\`) {
		return before, after
	}
	return "", flag
}

func (c *serveCommand) options(s *session) (o serve.Options, err error) {
	o = serve.Options{
		Idle: c.Idle, Fetch: c.Fetch, Batch: c.Batch, Wait: c.Wait, Queue: c.Queue, Stall: c.Stall,
		Decode: vision.DecodeOptions{MaxPixels: c.MaxPixels, Converter: convert.New(s, nil)},
		Log:    slog.New(slog.NewJSONHandler(s.errors, &slog.HandlerOptions{Level: c.LogLevel})),
	}
	if s.terminal {
		o.Log = slog.New(slog.NewTextHandler(s.errors, &slog.HandlerOptions{Level: c.LogLevel}))
	}
	if c.Batch < 1 || c.Queue < 1 || c.MaxPixels < 1 || c.Wait < 0 || c.Stall <= 0 || c.Idle < 0 {
		return o, wrong("--batch, --queue, --max-pixels and --stall want more than 0, --wait and --idle 0 or more")
	}
	if o.MaxBody, err = bytesOf("--max-body", c.MaxBody); err != nil {
		return o, err
	}
	if c.ModelMemory != "" {
		if o.ModelBytes, err = bytesOf("--model-memory", c.ModelMemory); err != nil {
			return o, err
		}
	}
	if c.Upstream != "" {
		if o.Upstream, err = url.Parse(c.Upstream); err != nil || o.Upstream.Host == "" || !strings.HasPrefix(o.Upstream.Scheme, "http") {
			return o, wrong("--immich-upstream %s, want an address such as http://127.0.0.1:3004", c.Upstream)
		}
	}
	if o.Keys = c.Key; c.KeyFile != "" {
		text, err := os.ReadFile(c.KeyFile)
		if err != nil {
			return o, input(err)
		}
		o.Keys = append(o.Keys, strings.Fields(string(text))...)
		if len(o.Keys) == 0 {
			return o, input(fmt.Errorf("%s has no keys", c.KeyFile))
		}
	}
	for _, k := range c.Key {
		if k == "" {
			return o, wrong("--key is empty")
		}
	}
	for _, flag := range c.Model {
		m, err := c.model(s, flag)
		if err != nil {
			return o, err
		}
		o.Models = append(o.Models, m)
	}
	return o, nil
}

// model finds one, which is loaded when a client asks for it.
func (c *serveCommand) model(s *session, flag string) (m serve.Model, err error) {
	name, path := named(flag)
	found, err := s.obtain(path)
	if err != nil {
		return m, err
	}
	m = serve.Model{Name: name, Bytes: found.Bytes, Load: func(context.Context) (*encoder.Model, error) {
		return found.Load(c.how())
	}}
	if found.Repo == "" {
		if name == "" {
			m.Name = filepath.Base(filepath.Clean(path))
		}
		return m, nil
	}
	if name == "" {
		m.Name = path
	}
	m.Aliases = []string{path}
	if source, err := hub.Resolve(path); err == nil && source.Tag != nil {
		m.Aliases = append(m.Aliases, source.Tag.Name())
	}
	return m, nil
}

func (c *serveCommand) how() *encoder.Options {
	return &encoder.Options{BatchSize: c.Batch, Upright: &c.Upright, Draft: c.draft, Precision: c.Precision}
}

// searched is the first model, as it prepares the images of an index.
func (c *serveCommand) searched(s *session, o serve.Options, path string) (*encoder.Model, error) {
	var as modelFlags
	if err := as.as(path); err != nil {
		return nil, err
	}
	c.Upright, c.draft = *as.upright, as.draft
	m, err := o.Models[0].Load(s)
	return m, input(err)
}

func (c *serveCommand) certificate() (l serve.Listening, err error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return l, wrong("--tls-cert and --tls-key go together")
	}
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return l, input(err)
		}
		l.Certificate = &pair
	}
	return l, nil
}

// bytesOf reads a size as people write it: 500MB, 8GB, 65536.
func bytesOf(flag, text string) (int64, error) {
	unit := int64(1)
	number := strings.ToUpper(strings.TrimSpace(text))
	for _, u := range []struct {
		end   string
		bytes int64
	}{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(number, u.end); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	var n float64
	if _, err := fmt.Sscanf(number+"\n", "%g\n", &n); err != nil || !(n > 0) || n*float64(unit) > 1<<60 {
		return 0, wrong("%s %s, want a size such as 500MB", flag, text)
	}
	return int64(n * float64(unit)), nil
}
