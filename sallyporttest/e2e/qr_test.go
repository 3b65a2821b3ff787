package e2e_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// readQR reads what a QR code says (ISO/IEC 18004, byte mode, versions 1 to 10),
// from the path and the viewBox of its SVG. The picture is clean, so the error
// correction is not used: only the data is put together.
func readQR(t *testing.T, path, viewBox string) string {
	t.Helper()
	dark := squares(t, path)
	minX, minY, maxX := 1<<30, 1<<30, 0
	for p := range dark {
		minX, minY, maxX = min(minX, p[0]), min(minY, p[1]), max(maxX, p[0])
	}
	size := maxX - minX + 1
	if quiet := strings.Fields(viewBox); len(quiet) != 4 || minX < 4 || quiet[2] != strconv.Itoa(size+2*minX) {
		t.Errorf("the quiet zone is narrower than 4 modules: %d in %s", minX, viewBox)
	}
	version := (size - 17) / 4
	at := func(row, col int) bool { return dark[[2]int{col + minX, row + minY}] }
	format := 0
	for i := range 5 { // row 8: error correction level and mask
		format <<= 1
		if at(8, i) {
			format |= 1
		}
	}
	format ^= 0b10101
	bits := qrBits(size, version, format&7, at)
	return qrText(t, version, format>>3, bits)
}

// squares reads the path "M x y h n v 1 h -n z …" into modules.
func squares(t *testing.T, path string) map[[2]int]bool {
	t.Helper()
	out := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+)[ ,](\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(path, -1) {
		var n [4]int
		for i := range n {
			v, err := strconv.Atoi(m[i+1])
			if err != nil {
				t.Fatal(err)
			}
			n[i] = v
		}
		for i := range n[2] {
			out[[2]int{n[0] + i, n[1]}] = true
		}
	}
	if len(out) < 100 {
		t.Fatalf("%d dark modules in %.200s", len(out), path)
	}
	return out
}

// qrBits takes the unmasked data bits in reading order.
func qrBits(size, version, mask int, at func(row, col int) bool) []bool {
	masks := []func(i, j int) bool{
		func(i, j int) bool { return (i+j)%2 == 0 },
		func(i, _ int) bool { return i%2 == 0 },
		func(_, j int) bool { return j%3 == 0 },
		func(i, j int) bool { return (i+j)%3 == 0 },
		func(i, j int) bool { return (i/2+j/3)%2 == 0 },
		func(i, j int) bool { return i*j%2+i*j%3 == 0 },
		func(i, j int) bool { return (i*j%2+i*j%3)%2 == 0 },
		func(i, j int) bool { return ((i+j)%2+i*j%3)%2 == 0 },
	}
	align := [][]int{nil, nil, {6, 18}, {6, 22}, {6, 26}, {6, 30}, {6, 34}, {6, 22, 38}, {6, 24, 42}, {6, 26, 46}, {6, 28, 50}}[version]
	fixed := func(r, c int) bool {
		if r == 6 || c == 6 || r < 9 && (c < 9 || c >= size-8) || r >= size-8 && c < 9 {
			return true
		}
		if version >= 7 && (r < 6 && c >= size-11 || c < 6 && r >= size-11) {
			return true
		}
		for _, y := range align {
			for _, x := range align {
				corner := y == 6 && x == 6 || y == 6 && x == size-7 || y == size-7 && x == 6
				if !corner && max(r-y, y-r) <= 2 && max(c-x, x-c) <= 2 {
					return true
				}
			}
		}
		return false
	}
	var out []bool
	up := true
	for col := size - 1; col > 0; col -= 2 {
		if col == 6 {
			col--
		}
		for i := range size {
			row := i
			if up {
				row = size - 1 - i
			}
			for _, c := range []int{col, col - 1} {
				if !fixed(row, c) {
					out = append(out, at(row, c) != masks[mask](row, c))
				}
			}
		}
		up = !up
	}
	return out
}

// qrText puts the blocks' data in order and reads the segment of bytes.
func qrText(t *testing.T, version, level int, bits []bool) string {
	t.Helper()
	codewords := make([]byte, len(bits)/8)
	for i := range codewords {
		for j := range 8 {
			codewords[i] <<= 1
			if bits[i*8+j] {
				codewords[i] |= 1
			}
		}
	}
	// Blocks of each version, as {count, data codewords}; level bits 01 L, 00 M, 11 Q, 10 H.
	table := map[int][][][2]int{
		1: {{}, {{1, 19}}, {{1, 34}}, {{1, 55}}, {{1, 80}}, {{1, 108}}, {{2, 68}}, {{2, 78}}, {{2, 97}}, {{2, 116}}, {{2, 68}, {2, 69}}},
		0: {{}, {{1, 16}}, {{1, 28}}, {{1, 44}}, {{2, 32}}, {{2, 43}}, {{4, 27}}, {{4, 31}}, {{2, 38}, {2, 39}}, {{3, 36}, {2, 37}}, {{4, 43}, {1, 44}}},
		3: {{}, {{1, 13}}, {{1, 22}}, {{2, 17}}, {{2, 24}}, {{2, 15}, {2, 16}}, {{4, 19}}, {{2, 14}, {4, 15}}, {{4, 18}, {2, 19}}, {{4, 16}, {4, 17}}, {{6, 19}, {2, 20}}},
		2: {{}, {{1, 9}}, {{1, 16}}, {{2, 13}}, {{4, 9}}, {{2, 11}, {2, 12}}, {{4, 15}}, {{4, 13}, {1, 14}}, {{4, 14}, {2, 15}}, {{4, 12}, {4, 13}}, {{6, 15}, {2, 16}}},
	}
	var sizes []int
	for _, g := range table[level][version] {
		for range g[0] {
			sizes = append(sizes, g[1])
		}
	}
	blocks, next := make([][]byte, len(sizes)), 0
	for i := range sizes[len(sizes)-1] {
		for b, n := range sizes {
			if i < n {
				blocks[b] = append(blocks[b], codewords[next])
				next++
			}
		}
	}
	var data []byte
	for _, b := range blocks {
		data = append(data, b...)
	}
	var text strings.Builder
	for _, b := range data {
		fmt.Fprintf(&text, "%08b", b)
	}
	s := text.String()
	number := func(n int) int {
		v, err := strconv.ParseInt(s[:n], 2, 32)
		if err != nil {
			t.Fatal(err)
		}
		s = s[n:]
		return int(v)
	}
	if mode := number(4); mode != 4 {
		t.Fatalf("the QR code (version %d) has mode %d, want bytes", version, mode)
	}
	length := 8
	if version >= 10 {
		length = 16
	}
	out := make([]byte, number(length))
	for i := range out {
		out[i] = byte(number(8))
	}
	return string(out)
}
