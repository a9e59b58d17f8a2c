package command

import (
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/index"
)

// subjects are words for what people photograph.
//
//go:embed subjects.txt
var subjects string

type clustersCommand struct {
	modelFlags
	draftFlag
	Index string `required:"" placeholder:"FILE" help:"Index that goclip index wrote with the same model."`
	K     int    `short:"k" default:"20" help:"Groups, at most."`
	Names int    `default:"3" help:"Words for each group."`
	Show  int    `default:"3" help:"Images to show of each group, the most typical first."`
	Words string `placeholder:"FILE" help:"Words to choose from, one a line; - is standard input. Default: some 150 for what people photograph."`
	Seed  uint64 `default:"1" help:"Another one gives other groups."`
}

func (clustersCommand) Help() string {
	return `Images that lie near each other become a group, which is named by the words that are nearer to it than to the rest.

    goclip clusters --model model --index photos.index
    goclip clusters --model model --index photos.index -k 50 --words places.txt --json`
}

type group struct {
	Names  []string `json:"names"`
	Size   int      `json:"size"`
	Images []string `json:"images"` // the most typical first; in JSON all
}

func (c *clustersCommand) Run(s *session) (err error) {
	if c.K < 1 || c.Names < 0 || c.Show < 0 {
		return wrong("-k %d, --names %d and --show %d, want 1 or more groups and no less than 0 of the others", c.K, c.Names, c.Show)
	}
	words, err := c.list()
	if err != nil {
		return err
	}
	m, x, err := c.withIndex(s, c.Index, c.Draft, need{words: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	defer closing(&err, x.Close)
	clusters, err := x.Clusters(s, c.K, c.Seed)
	if err != nil {
		return input(err)
	}
	prompts := make([]string, len(words))
	for i, w := range words {
		prompts[i] = "a photo of " + w
	}
	e, err := m.EncodeTexts(s, prompts...)
	if err != nil {
		return err
	}
	names, err := index.NameClusters(clusters, &encoder.Embeddings{N: e.N, Dim: e.Dim, Data: e.Data}, c.Names)
	if err != nil {
		return err
	}
	all := make([]group, len(clusters))
	for i, k := range clusters {
		all[i] = group{Names: []string{}, Size: len(k.Keys), Images: k.Keys}
		for _, w := range names[i] {
			all[i].Names = append(all[i].Names, words[w])
		}
	}
	return s.result(all, func(w io.Writer) {
		for _, g := range all {
			fmt.Fprintf(w, "%d\t%s\n", g.Size, strings.Join(g.Names, ", "))
			for _, key := range g.Images[:min(c.Show, len(g.Images))] {
				fmt.Fprintf(w, "\t%s\n", dataset.Printable(key))
			}
		}
	})
}

// list is the words to choose from.
func (c *clustersCommand) list() ([]string, error) {
	if c.Words == "" {
		return strings.Split(strings.TrimSpace(subjects), "\n"), nil
	}
	file, err := openFile(c.Words)
	if err != nil {
		return nil, input(err)
	}
	defer file.Close()
	labels, err := eval.ReadLabels(file, c.Words)
	if err != nil {
		return nil, input(fmt.Errorf("%s: %w", c.Words, err))
	}
	names, _ := eval.LabelNames(labels)
	if len(names) == 0 {
		return nil, input(fmt.Errorf("%s has no words", c.Words))
	}
	return names, nil
}
