package command

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
)

type embedCommand struct {
	modelFlags
	uprightFlag
	draftFlag
	setFlags
	Out       string            `required:"" placeholder:"DIR" help:"Folder for the embeddings: a new one, or one that is to be continued."`
	Format    embeddings.Format `default:"clip-retrieval" help:"Form of the files: clip-retrieval, npy, npz, parquet or jsonl."`
	Dtype     string            `enum:",float16,float32" default:"" placeholder:"TYPE" help:"Numbers as float16 or float32. Default: float16 for clip-retrieval, which has it so, else float32."`
	PartSize  int               `default:"10000" placeholder:"N" help:"Images of a part: what is in memory, and what is done again after an interruption, is one part."`
	Texts     embeddings.Texts  `default:"auto" help:"Embeddings of captions, too: yes, no, or auto, where the first set has captions. Say yes or no where several processes write into one folder."`
	Overwrite bool              `help:"Remove the parts that are in --out, and begin anew. For one process alone."`
	Sets      []string          `arg:"" optional:"" name:"set" help:"Sets or shards: folders, tables, tars, Parquet. Without any, or for -, their names are read from standard input, one a line."`
}

func (embedCommand) Help() string {
	return `Each set or shard gives parts, whose names follow from its own: tars/00012.tar gives img_emb/img_emb_00012.npy, text_emb/text_emb_00012.npy and metadata/metadata_00012.parquet, and a single folder or table img_emb/img_emb_0.npy and so on. Embeddings are L2-normalised.

    goclip embed --model model --out embeddings photos
    ls tars/*.tar | goclip embed --model model --out embeddings --texts yes

A part is written beside its place and renamed, and one that is whole is not made again: the same command goes on where another one ended, however it ended. What cannot be used goes to failures/, with its reason. For each shard one line of JSON is written to standard output, and the command fails where a shard did. docs/embed.md has the contract that workers of other engines may rely on.`
}

// shardSaid is the line about a shard.
type shardSaid struct {
	Shard    string  `json:"shard"`
	Parts    int     `json:"parts"`
	Skipped  int     `json:"skipped_parts"`
	Pictures int     `json:"pictures"`
	Failures int     `json:"failures"`
	Embedded int     `json:"embedded"` // pictures of parts that were made now
	Notes    int     `json:"notes,omitempty"`
	Cut      int     `json:"captions_cut,omitempty"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"pictures_per_second"` // of those
	Error    string  `json:"error,omitempty"`
}

func (c *embedCommand) Run(s *session) (err error) {
	if c.Out == "" {
		return wrong("--out is empty, want a folder")
	}
	if len(c.Sets) == 0 && isTerminal(os.Stdin) {
		return wrong("no set is named, neither as an argument nor on standard input")
	}
	if err := embeddings.Free(c.Out, slices.DeleteFunc(slices.Clone(c.Sets), func(set string) bool { return set == standardInput })...); err != nil {
		return occupied(err)
	}
	var w *embeddings.Writer
	var m *encoder.Model
	defer closing(&err, func() error { return m.Close() })
	var failures []string
	var first error
	for shard, err := range c.shards(s.in) {
		if err == nil && w == nil { // no sooner: an engine may have no shard for this process
			m, w, err = c.begin(s)
		}
		if err != nil {
			return err
		}
		began := time.Now()
		report, err := c.one(s, w, shard)
		if s.Err() != nil {
			return coded{errors.New("interrupted: the same command goes on"), interrupted}
		}
		said := shardSaid{shard, report.Parts, report.Skipped, report.Pictures, report.Failures, report.Embedded, report.Notes, report.Cut, time.Since(began).Seconds(), 0, ""}
		said.Rate = float64(report.Embedded) / max(said.Seconds, 1e-9)
		if err != nil {
			failures, first, said.Error = append(failures, shard), cmp.Or(first, err), err.Error()
		}
		line, err := json.Marshal(said)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", line); err != nil {
			return err
		}
	}
	if len(failures) > 1 {
		return fmt.Errorf("%d shards failed: %s; the first: %w", len(failures), strings.Join(failures, ", "), first)
	}
	return first
}

// begin loads the model.
func (c *embedCommand) begin(s *session) (*encoder.Model, *embeddings.Writer, error) {
	c.modelFlags.draft, c.modelFlags.upright = c.Draft, &c.Upright
	m, err := c.load(s, need{images: true, words: c.Texts == embeddings.TextsAlways})
	if err != nil {
		return nil, nil, err
	}
	c.setFlags.draft = m.Config().Preprocess.DraftSide()
	o := embeddings.Options{Format: c.Format, PartSize: c.PartSize, Texts: c.Texts, AllowTruncated: c.AllowTruncated, Overwrite: c.Overwrite}
	if c.Dtype == "float16" || c.Dtype == "" && c.Format == embeddings.ClipRetrieval {
		o.Precision = encoder.Float16
	}
	w, err := embeddings.New(c.Out, m, o)
	if err != nil {
		return m, nil, occupied(err)
	}
	return m, w, nil
}

// one embeds a shard.
func (c *embedCommand) one(s *session, w *embeddings.Writer, shard string) (report embeddings.Report, err error) {
	set, err := c.openAs(s, shard, nil)
	if err != nil {
		return report, err
	}
	defer closing(&err, set.Close)
	s.say("%s: %v", dataset.Printable(shard), set.Seen())
	report, err = w.Embed(s, c.name(shard), shard, set, s.counter(filepath.Base(shard), "images"))
	if errors.Is(err, embeddings.ErrOther) {
		err = coded{fmt.Errorf("%w: another --out, or --overwrite, which removes what is there", err), misuse}
	}
	if report.Cut > 0 {
		s.warn("%s: %d captions are longer than the model's context and were cut", dataset.Printable(shard), report.Cut)
	}
	if report.Failures > 0 {
		s.say("%s: %d left out, with the reasons in %s", dataset.Printable(shard), report.Failures, filepath.Join(c.Out, "failures"))
	}
	return report, err
}

// name is what a shard's parts are called after: nothing for a folder or table that is the
// only one.
func (c *embedCommand) name(shard string) string {
	full, err := filepath.Abs(shard)
	if err != nil {
		full = shard
	}
	name := embeddings.ShardName(full)
	info, err := os.Stat(shard)
	file := err == nil && info.Mode().IsRegular() && name != filepath.Base(full)
	if alone := len(c.Sets) == 1 && c.Sets[0] != standardInput; alone && !file {
		return ""
	}
	return name
}

// shards are the arguments, and the lines of standard input for "-" or where there are none.
func (c *embedCommand) shards(stdin io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		sets := c.Sets
		if len(sets) == 0 {
			sets = []string{standardInput}
		}
		for _, set := range sets {
			if set != standardInput {
				if !yield(set, nil) {
					return
				}
				continue
			}
			lines := bufio.NewScanner(stdin)
			for lines.Scan() {
				if line := strings.TrimSpace(lines.Text()); line != "" && !yield(line, nil) {
					return
				}
			}
			if err := lines.Err(); err != nil && !yield("", fmt.Errorf("standard input: %w", err)) {
				return
			}
		}
	}
}
