package command

import (
	"fmt"
	"path"
	"strings"

	"github.com/goclip/goclip/embeddings"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/photos"
)

// embedded is the command for embeddings in the place of a set.
func (c *indexCommand) embedded(s *session) (err error) {
	if c.Watch {
		return wrong("--watch is for folders of images, and %s holds embeddings", c.Data)
	}
	if err := c.free(c.Overwrite); err != nil {
		return err
	}
	c.modelFlags.draft, c.modelFlags.upright = c.Draft, &c.Upright
	m, err := c.load(s, need{images: true})
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	if err := c.writable(); err != nil {
		return err
	}
	x, skipped, err := c.indexOf(s, m)
	if err != nil {
		return input(err)
	}
	s.leftOut(skipped)
	if !c.Append {
		if err := c.save(x); err != nil {
			return err
		}
		if err := c.share(s, m, x); err != nil {
			return err
		}
		return c.tell(s, x, photos.Report{Added: x.Len(), Skipped: skipped}, nil)
	}
	if x.Len() > 0 {
		if err := c.save(x); err != nil {
			return err
		}
	}
	if x, err = index.OpenUnread(c.Out, nil); err != nil {
		return input(err)
	}
	defer closing(&err, x.Close)
	if err := c.share(s, m, x); err != nil {
		return err
	}
	return c.tell(s, x, photos.Report{Added: x.Len(), Skipped: skipped}, nil)
}

// indexOf makes an index of embeddings that were computed before, by goclip or by another
// program; with --append of the last of them, when the others are in files.
func (c *indexCommand) indexOf(s *session, m *encoder.Model) (x *index.Index, skipped []error, err error) {
	data := c.Data
	from, err := embeddings.Open(data)
	if err != nil {
		return nil, nil, err
	}
	if theirs := from.Model(); theirs != "" && theirs != m.Fingerprint() {
		return nil, nil, fmt.Errorf("%s: the embeddings are of the model %.12s…, not of %.12s… with its settings of --upright, --draft and --text-model", data, theirs, m.Fingerprint())
	} else if theirs == "" {
		s.warn("%s: embeddings that do not say which model they are of: they are taken for those of --model", data)
	}
	x = index.Of(m)
	if from.Dim() != x.Dim() {
		return nil, nil, fmt.Errorf("%s: embeddings of %d numbers, but the model's have %d", data, from.Dim(), x.Dim())
	}
	of := map[string]string{} // the file that each key is from
	told, done := s.counter("index", "embeddings"), 0
	err = from.Each(s, func(row embeddings.Row) error {
		done++
		told(done, from.Len())
		part := strings.TrimSuffix(path.Base(row.File), path.Ext(row.File))
		key := row.Key
		if file, twice := of[key]; key == "" {
			key = fmt.Sprintf("%s/%d", part, row.Number)
		} else if twice && file != row.File {
			key = part + "/" + key
		}
		fault := row.Fault
		if _, twice := of[key]; twice && fault == nil {
			fault = fmt.Errorf("the name is there twice")
		}
		if fault != nil {
			skipped = append(skipped, fmt.Errorf("%s: row %d, %s: %w", row.File, row.Number, key, fault))
			return nil
		}
		of[key] = row.File
		if c.Append && x.Len() == c.Shard {
			if err := c.save(x); err != nil {
				return err
			}
			x = index.Of(m)
		}
		return x.Add([]index.Entry{{Key: key, Meta: row.Caption}}, &encoder.Embeddings{N: 1, Dim: len(row.Image), Data: row.Image})
	})
	if err == nil && x.Len() == 0 && len(of) == 0 {
		err = fmt.Errorf("%s: there is no embedding that can be used", data)
	}
	return x, skipped, err
}
