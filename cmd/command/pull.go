package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
)

// hub is where models come from by name, with a line of progress.
func (s *session) hub() *hub.Client { return &hub.Client{Progress: s.transfers()} }

// obtain finds a model by path or name, and downloads it if need be. What came over the
// network is told with its licence.
func (s *session) obtain(name string) (*hub.Model, error) {
	client, fetched := s.hub(), false
	tell := client.Progress
	client.Progress = func(p hub.Progress) {
		fetched = fetched || p.Fetched > 0
		tell(p)
	}
	m, err := client.Obtain(s, name)
	if err != nil {
		return nil, unobtained(err)
	}
	if fetched {
		s.say("%s", describe(m))
	}
	return m, nil
}

// model loads one by path or name.
func (s *session) model(name string, opts *encoder.Options) (*encoder.Model, error) {
	found, err := s.obtain(name)
	if err != nil {
		return nil, err
	}
	m, err := found.Load(opts)
	return m, input(err)
}

// unobtained is the error of a model that could not be had: the model cannot be used, unless
// it is the network that failed.
func unobtained(err error) error {
	for _, known := range []error{hub.ErrNotFound, hub.ErrDenied, hub.ErrNotModel, hub.ErrOffline, hub.ErrCorrupt} {
		if errors.Is(err, known) {
			return input(err)
		}
	}
	return err
}

func describe(m *hub.Model) string {
	words := fmt.Sprintf("%s: %s, licence %s", m.Name, size(m.Bytes), m.License)
	if m.Vocabulary != "" {
		words += fmt.Sprintf(", the vocabulary's %s", m.VocabularyLicense)
	}
	if m.Image != nil {
		words += "; with the images of " + describe(m.Image)
	}
	return words
}

// size is a number of bytes for people.
func size(n int64) string {
	for _, unit := range []struct {
		bytes float64
		name  string
	}{{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if float64(n) >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/unit.bytes, unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// transfers returns a hook that tells of a download: bytes, rate and the time that is left;
// on a terminal in one line over itself, in a log every ten seconds.
func (s *session) transfers() func(hub.Progress) {
	every, end := 10*time.Second, "\n"
	if s.terminal {
		every, end = 200*time.Millisecond, "\x1b[K\r"
	}
	start := time.Now()
	shown, waiting := start, ""
	return func(p hub.Progress) {
		now := time.Now()
		if p.Waiting != waiting && p.Waiting != "" {
			s.say("%s: %s", p.Name, p.Waiting)
		}
		waiting = p.Waiting
		done := p.Total > 0 && p.Done >= p.Total
		if done && s.terminal {
			fmt.Fprint(s.progress, "\x1b[K")
		}
		if done || p.Waiting != "" || now.Sub(shown) < every {
			return
		}
		shown = now
		of, left := "", ""
		rate := float64(p.Fetched) / max(now.Sub(start).Seconds(), 1e-9)
		if p.Total > 0 {
			of = " of " + size(p.Total)
			if rate > 0 {
				left = fmt.Sprintf("  %v left", time.Duration(float64(p.Total-p.Done)/rate*float64(time.Second)).Round(time.Second))
			}
		}
		fmt.Fprintf(s.progress, "%s: %s%s  %s/s%s%s", p.Name, size(p.Done), of, size(int64(rate)), left, end)
	}
}

type pullCommand struct {
	Names []string `arg:"" name:"name" help:"Models, each by its name."`
}

func (pullCommand) Help() string {
	return `Downloads the newest revision of models into the cache that Python's huggingface_hub keeps, where all other commands, and Python, find them without the network. A name is one of

    openai/clip-vit-base-patch32            a repository of the Hugging Face hub; @REVISION behind it is a branch, tag or commit
    hf-hub:timm/ViT-B-16-SigLIP2            the same as open_clip writes it, with open_clip's files first
    ViT-B-32/laion2b_s34b_b79k              a model and a tag of open_clip's
    ViT-B-32__laion2b-s34b-b79k             the same as Immich writes it
    XLM-Roberta-Large-Vit-B-32              a text tower of M-CLIP with its image model, as Immich calls the two

Only what a model is loaded from is fetched, safetensors before pickles, and compared with its hash. An interrupted download goes on where it ended.

HF_TOKEN gives access to what is not public, HF_HUB_CACHE or HF_HOME names the cache, HF_ENDPOINT a mirror, and HF_HUB_OFFLINE=1 forbids the network.`
}

// pulled is a model that was downloaded, or not.
type pulled struct {
	Name              string `json:"name"`
	Path              string `json:"path,omitempty"`
	Repo              string `json:"repo,omitempty"`
	Revision          string `json:"revision,omitempty"`
	Commit            string `json:"commit,omitempty"`
	Bytes             int64  `json:"bytes,omitempty"`
	License           string `json:"license,omitempty"`
	Vocabulary        string `json:"vocabulary,omitempty"`
	VocabularyLicense string `json:"vocabulary_license,omitempty"`
	Error             string `json:"error,omitempty"`
}

func pulledOf(m *hub.Model) pulled {
	p := pulled{Name: m.Name, Path: m.Path, Repo: m.Repo, Revision: m.Revision, Commit: m.Commit, Bytes: m.Bytes,
		License: m.License.String(), Vocabulary: m.Vocabulary}
	if m.Vocabulary != "" {
		p.VocabularyLicense = m.VocabularyLicense.String()
	}
	return p
}

func (c *pullCommand) Run(s *session) error {
	for _, name := range c.Names {
		source, err := hub.Resolve(name)
		if err != nil {
			return coded{err, misuse}
		}
		if source.Path != "" {
			return wrong("%s is not the name of a model but a path; hf-hub:OWNER/NAME is always a name", name)
		}
	}
	var all []pulled
	var first error
	for _, name := range c.Names {
		m, err := s.hub().Download(s, name)
		if s.Err() != nil {
			return s.Err()
		}
		if err != nil {
			first = cmp.Or(first, unobtained(err))
			all = append(all, pulled{Name: name, Error: err.Error()})
			if len(c.Names) > 1 {
				s.say("%v", err)
			}
			continue
		}
		all = append(all, pulledOf(m))
		if !s.json {
			fmt.Fprintf(s.out, "%s\n  %s\n", describe(m), m.Path)
		}
	}
	if len(c.Names) == 1 && first != nil {
		return first
	}
	if s.json {
		if err := document(s.out, all); err != nil {
			return err
		}
	}
	if first == nil {
		return nil
	}
	s.json = false // a second document would spoil the first
	failures := len(slices.DeleteFunc(all, func(p pulled) bool { return p.Error == "" }))
	code, _ := s.meaning(first)
	return coded{fmt.Errorf("%d of %d models could not be downloaded", failures, len(c.Names)), code}
}

type listCommand struct{}

func (listCommand) Help() string {
	return `Lists the cache of huggingface_hub, whoever filled it, and the weights that open_clip keeps beside it: name, revisions, commit, size and the licence that the model's card states.`
}

func (listCommand) Run(s *session) error {
	found, err := s.hub().List()
	if err != nil {
		return input(err)
	}
	all := []pulled{}
	for i := range found {
		all = append(all, pulledOf(&found[i]))
	}
	return s.result(all, func(w io.Writer) {
		wide := 4
		for _, p := range all {
			wide = max(wide, len(p.Name))
		}
		for _, p := range all {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s  %8.8s  %-12s  %9s  %s", wide, p.Name, cmp.Or(p.Commit, "-"), cmp.Or(p.Revision, "-"), size(p.Bytes), p.License), " "))
		}
	})
}
