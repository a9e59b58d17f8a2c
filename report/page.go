package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"
	"io"

	"github.com/goclip/goclip/eval"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style string

// page is what the template shows.
type page struct {
	*Report
	Style   template.CSS
	Tiles   []Fact
	Loss    *lossChart
	Tests   *testChart
	Between *testChart
	First   *details
	Recalls []recallRow
	Gallery []card
	Map     *mapChart
	Skipped []string
	Left    int // further skipped samples
}

// details are those of the first result.
type details struct {
	Result
	Bars       []bar
	All        int // classes, of which Bars may be the worst
	Matrix     *matrix
	Confusions []confusion
	Bins       *reliability
}

type recallRow struct {
	K                        int
	ImageToText, TextToImage float64
}

type card struct {
	Mistake
	Source template.URL
	Small  bool // so small that its pixels are to be seen
}

// shownSkips is the number of skipped samples that the page lists.
const shownSkips = 50

// policy is in the head of every page.
const policy = `content="default-src 'none'; img-src data:; style-src 'unsafe-inline'"`

// IsPage tells from the first kilobyte of a file whether [Report.WriteHTML] wrote it.
func IsPage(start []byte) bool { return bytes.Contains(start[:min(len(start), 1<<10)], []byte(policy)) }

// WriteHTML writes the page.
func (r *Report) WriteHTML(w io.Writer) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if w == nil {
		return errNoWriter
	}
	p := &page{Report: r, Style: template.CSS(style), Tiles: r.tiles(), Loss: newLossChart(r.Loss), Tests: newTestChart(r.Tests), Between: newLineChart(r.Line), Map: newMapChart(r.Map)}
	var skipped []error
	if len(r.Results) > 0 {
		p.First = newDetails(r.Results[0])
		skipped = r.Results[0].Skipped
	} else if r.Retrieval != nil {
		skipped = r.Retrieval.Skipped
	}
	for _, err := range skipped[:min(len(skipped), shownSkips)] {
		p.Skipped = append(p.Skipped, err.Error())
	}
	p.Left = len(skipped) - len(p.Skipped)
	p.Recalls = recalls(r.Retrieval)
	for _, m := range r.Mistakes {
		c, err := newCard(m)
		if err != nil {
			return fmt.Errorf("report: the image of %s: %w", m.Key, err)
		}
		p.Gallery = append(p.Gallery, c)
	}
	t, err := template.New("page").Funcs(template.FuncMap{"percent": percent, "number": number}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var out bytes.Buffer // so that a failure leaves no half page
	if err := t.Execute(&out, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if _, err := out.WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// tiles are the figures to see first.
func (r *Report) tiles() []Fact {
	var list []Fact
	for i, res := range r.Results {
		list = append(list, Fact{res.Name + " accuracy", percent(res.Accuracy())})
		if i == 0 {
			list = append(list, Fact{"among the best five", percent(res.Top5Accuracy())})
		}
	}
	for _, row := range recalls(r.Retrieval) {
		if len(list) < 6 {
			list = append(list, Fact{fmt.Sprintf("recall@%d, image to text", row.K), percent(row.ImageToText)},
				Fact{fmt.Sprintf("recall@%d, text to image", row.K), percent(row.TextToImage)})
		}
	}
	if n := len(r.Loss); n > 0 {
		list = append(list, Fact{"loss at the end", number(r.Loss[n-1].Loss)})
	}
	return list
}

func newDetails(r Result) *details {
	d := &details{Result: r, All: len(r.Classes), Matrix: newMatrix(r.Classification), Confusions: confusions(r.Classification)}
	d.Bars = bars(r.Classification)
	d.Bins = newReliability(r.Calibration)
	return d
}

func recalls(r *eval.Retrieval) (rows []recallRow) {
	if r == nil {
		return nil
	}
	for _, k := range sortedKeys(r.ImageToText) {
		rows = append(rows, recallRow{k, r.ImageToText[k], r.TextToImage[k]})
	}
	return rows
}

func newCard(m Mistake) (card, error) {
	c := card{Mistake: m}
	if m.Image == nil {
		return c, nil
	}
	b := m.Image.Bounds()
	c.Small = max(b.Dx(), b.Dy()) < thumbnail/2
	source, err := dataURL(m.Image)
	c.Source = source
	return c, err
}

func dataURL(img image.Image) (template.URL, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
