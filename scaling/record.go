package scaling

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// Run says what is trained. It is all that a run's result depends on, so that two
// records of one Run agree in all but Seconds.
type Run struct {
	Data       string  `json:"data"`        // name of the set, with whatever else chose its images
	Width      int     `json:"width"`       // of both towers
	Layers     int     `json:"layers"`      // of the image tower
	TextLayers int     `json:"text_layers"` // of the text tower
	Batch      int     `json:"batch"`       // pairs a step
	Steps      int     `json:"steps"`
	Unique     int     `json:"unique"` // different images among the pairs
	LR         float64 `json:"lr"`     // at its peak
	Seed       uint64  `json:"seed"`
}

// Samples is the number of pairs seen, repeated ones included.
func (r Run) Samples() int { return r.Batch * r.Steps }

// Record is the result of a run.
type Record struct {
	Run
	Params  int     `json:"params"`  // without embeddings, see [Params]
	FLOPs   float64 `json:"flops"`   // of the whole run, see [TrainingFLOPs]
	Loss    float64 `json:"loss"`    // contrastive, on held-out pairs
	Error   float64 `json:"error"`   // share of held-out images that zero-shot classification gets wrong
	Seconds float64 `json:"seconds"` // training time
}

// Validate reports the first field that no run could have.
func (r Record) Validate() error {
	whole := func(name string, v int) error {
		if v < 1 || int64(v) > 1<<40 {
			return fmt.Errorf("scaling: %s is %d, want 1 or more", name, v)
		}
		return nil
	}
	measured := func(name string, v, limit float64) error {
		if !(v >= 0 && v <= limit) {
			return fmt.Errorf("scaling: %s is %g, want 0 to %g", name, v, limit)
		}
		return nil
	}
	return errors.Join(
		whole("width", r.Width), whole("layers", r.Layers), whole("text_layers", r.TextLayers),
		whole("batch", r.Batch), whole("steps", r.Steps), whole("unique", r.Unique), whole("params", r.Params),
		measured("lr", r.LR, math.MaxFloat64), measured("flops", r.FLOPs, math.MaxFloat64),
		measured("loss", r.Loss, math.MaxFloat64), measured("error", r.Error, 1), measured("seconds", r.Seconds, math.MaxFloat64),
	)
}

// maxLine bounds the memory that a record takes.
const maxLine = 1 << 16

// ReadRecords reads records, one JSON object a line. It also returns the number of
// bytes up to the end of the last whole line: what follows it was cut off while it
// was written, and is no record.
func ReadRecords(r io.Reader) (records []Record, whole int64, err error) {
	if r == nil {
		return nil, 0, errors.New("scaling: the reader of records is nil")
	}
	in := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			return records, whole, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = fmt.Errorf("longer than %d bytes", maxLine)
		}
		var record Record
		if err == nil {
			decode := json.NewDecoder(bytes.NewReader(line))
			decode.DisallowUnknownFields()
			if err = decode.Decode(&record); err == nil {
				if _, more := decode.Token(); more != io.EOF {
					err = errors.New("more than one object")
				}
			}
		}
		if err == nil {
			err = record.Validate()
		}
		if err != nil {
			return nil, 0, fmt.Errorf("scaling: line %d: %w", n, err)
		}
		records, whole = append(records, record), whole+int64(len(line))
	}
}
