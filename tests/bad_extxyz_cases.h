// Extended XYZ files that have to be refused, each with its whole message.
#pragma once

#include <string>
#include <vector>

struct BadExtxyzCase {
  std::string name;     // of the file
  std::string text;     // of the file
  std::string message;  // after the path
};

inline std::vector<BadExtxyzCase> bad_extxyz_cases() {
  const std::string props = "Properties=species:S:1:pos:R:3:forces:R:3";
  const std::string good = "2\n" + props + " energy=-1.5\nH 0 0 0 0.1 0.2 0.3\nO 0 0 1 0 0 0\n";
  auto comment = [](const std::string& line) { return "1\n" + line + "\nH 0 0 0\n"; };
  auto cell = [&](const std::string& more) {
    return comment("Lattice=\"4 0 0 0 4 0 0 0 4\" " + more);
  };
  auto atom = [&](const std::string& line) { return "1\n" + props + "\n" + line + "\n"; };
  auto columns = [&](const std::string& value) { return comment("Properties=" + value); };
  const std::string first = ": frame 0, line 2: ", row = ": frame 0, line 3: atom 0";
  return {
      // the file as a whole
      {"empty", "", ": no frames"},
      {"blank", "\n  \n\n", ": no frames"},
      {"binary", std::string("2\n\0\x01\x02\n", 6), ": line 2: not text: '\\x00'"},
      {"latin1", comment("note=\xE9"), ": line 2: not text: '\\xE9'"},
      {"cut_character", comment("note=\xE2\x82"), ": line 2: not text: '\\xE2'"},
      {"not_gzip.gz", good, ": the name ends in .gz, but the file is not gzip"},
      {"cut_gzip.gz", "\x1f\x8b\x08", ": the gzip data end early (truncated file)"},
      // atom counts
      {"count_word", "two\n\nH 0 0 0\n",
       ": frame 0, line 1: expected the number of atoms, found 'two'"},
      {"count_real", "1.5\n\nH 0 0 0\n",
       ": frame 0, line 1: expected the number of atoms, found '1.5'"},
      {"count_negative", "-3\n\nH 0 0 0\n",
       ": frame 0, line 1: expected the number of atoms, found '-3'"},
      {"count_zero", "0\n\n", ": frame 0, line 1: a frame without atoms"},
      {"count_absurd", "4000000000000000\n\nH 0 0 0\n",
       ": frame 0, line 1: 4000000000000000 atoms announced, but only 9 bytes follow"},
      {"count_overflow", "99999999999999999999\n\nH 0 0 0\n",
       ": frame 0, line 1: expected the number of atoms, found '99999999999999999999'"},
      {"count_small", "1\n" + good.substr(2) + good,
       ": frame 1, line 4: expected the number of atoms, found 'O 0 0 1 0 0 0'"},
      {"count_large", "3\n" + good.substr(2) + good,
       ": frame 0, line 5: atom 2 has 1 values, expected 7 (species:S:1:pos:R:3:forces:R:3)"},
      {"count_missing", good + good.substr(2),
       ": frame 1, line 5: expected the number of atoms, found "
       "'Properties=species:S:1:pos:R:3:forces:R:...'"},
      // cut files
      {"cut_before_comment", good + "2\n",
       ": frame 1, line 5: 2 atoms announced, but only 0 bytes "
       "follow"},
      {"cut_count_alone", "1", ": frame 0, line 1: 1 atoms announced, but only 0 bytes follow"},
      {"cut_after_comment", good + "2\n" + props + "\n",
       ": frame 1, line 5: the file ends after 0 of 2 atoms"},
      {"cut_after_atom", good + "2\n" + props + "\nH 0 0 0 0 0 0\n",
       ": frame 1, line 5: the file ends after 1 of 2 atoms"},
      {"cut_in_atom", good + "2\n" + props + "\nH 0 0 0 0 0 0\nO 0 0",
       ": frame 1, line 8: atom 1 has 3 values, expected 7 (species:S:1:pos:R:3:forces:R:3)"},
      // atoms
      {"few_columns", atom("H 0 0 0 1 2"),
       row + " has 6 values, expected 7 (species:S:1:pos:R:3:forces:R:3)"},
      {"many_columns", atom("H 0 0 0 1 2 3 4"),
       row + " has 8 values, expected 7 (species:S:1:pos:R:3:forces:R:3)"},
      {"plain_many_columns", "1\na molecule\nH 0 0 0 0.4\n",
       row + " has 5 values, expected 4 (species:S:1:pos:R:3)"},
      {"unknown_element", atom("Qq 0 0 0 0 0 0"), row + ": unknown element 'Qq'"},
      {"number_as_element", atom("8 0 0 0 0 0 0"), row + ": unknown element '8'"},
      {"position_word", atom("H 0 x 0 0 0 0"), row + ": the position is not a number: 'x'"},
      {"position_tail", atom("H 0 1.0.0 0 0 0 0"), row + ": the position is not a number: '1.0.0'"},
      {"position_fortran", atom("H 0 1.0D0 0 0 0 0"),
       row + ": the position is not a number: '1.0D0'"},
      {"position_nan", atom("H 0 nan 0 0 0 0"), row + ": the position is not finite: 'nan'"},
      {"position_inf", atom("H 0 0 -inf 0 0 0"), row + ": the position is not finite: '-inf'"},
      {"position_overflow", atom("H 0 0 1e999 0 0 0"),
       row + ": the position is not finite: '1e999'"},
      {"force_nan", atom("H 0 0 0 0 0 NaN"), row + ": the force is not finite: 'NaN'"},
      {"force_word", atom("H 0 0 0 0 -- 0"), row + ": the force is not a number: '--'"},
      {"bad_number_column", "1\nProperties=Z:I:1:pos:R:3\n0 0 0 0\n",
       row + ": unknown atomic number '0'"},
      {"bad_integer", "1\nProperties=species:S:1:pos:R:3:tag:I:1\nH 0 0 0 1.5\n",
       row + ": column tag (I) holds '1.5'"},
      {"bad_logical", "1\nProperties=species:S:1:pos:R:3:on:L:1\nH 0 0 0 yes\n",
       row + ": column on (L) holds 'yes'"},
      // Properties
      {"properties_pairs", columns("species:S:1:pos:R"),
       first + "Properties=species:S:1:pos:R: expected NAME:TYPE:COLUMNS triples"},
      {"properties_width", columns("species:S:1:pos:R:three"),
       first + "Properties: pos has 'three' columns, expected a number from 1 to 1000"},
      {"properties_huge", columns("species:S:1:pos:R:3:x:R:99999999999"),
       first + "Properties: x has '99999999999' columns, expected a number from 1 to 1000"},
      {"properties_type", columns("species:S:1:pos:Q:3"),
       first + "Properties: pos is of type 'Q', expected R, I, S or L"},
      {"properties_twice", columns("species:S:1:pos:R:3:pos:R:3"),
       first + "Properties: the column pos is given twice"},
      {"properties_no_pos", columns("species:S:1:forces:R:3"),
       first + "Properties=species:S:1:forces:R:3: no column pos"},
      {"properties_no_species", columns("pos:R:3"),
       first + "Properties=pos:R:3: no column species or Z"},
      {"forces_two_columns", columns("species:S:1:pos:R:3:forces:R:2"),
       first + "forces have 2 columns, expected 3"},
      {"positions_two_columns", columns("species:S:1:pos:R:2"),
       first + "pos have 2 columns, expected 3"},
      {"forces_integers", columns("species:S:1:pos:R:3:forces:I:3"),
       first + "forces are of type I, expected R"},
      // the comment line
      {"key_twice", comment("energy=1 energy=2"), first + "the key 'energy' is given twice"},
      {"open_quote", comment("note=\"no end"), first + "no closing \" for '\"no end'"},
      {"open_bracket", comment("pbc=[T, F, T"), first + "no closing ] for '[T, F, T'"},
      {"glued_value", comment("a=\"x\"b=1"),
       first + "expected a blank after the value of 'a', found 'b=1'"},
      {"no_value", comment("energy="), first + "no value after 'energy='"},
      {"no_key", comment("=3"), first + "no key before '=3'"},
      {"misspelt_lattice", comment("lattice=\"4 0 0 0 4 0 0 0 4\""),
       first + "the key 'lattice' has to be spelt 'Lattice'"},
      {"misspelt_pbc", comment("PBC=\"T T T\""), first + "the key 'PBC' has to be spelt 'pbc'"},
      {"bare_pbc", comment("energy=1 pbc"), first + "the key 'pbc' has no value"},
      {"lattice_eight", comment("Lattice=\"4 0 0 0 4 0 0 0\""),
       first + "Lattice has 8 numbers, expected 9"},
      {"lattice_word", comment("Lattice=\"4 0 0 0 4 0 0 0 c\""),
       first + "Lattice: expected a number, found 'c'"},
      {"lattice_nan", comment("Lattice=\"4 0 0 0 4 0 0 0 nan\""),
       first + "Lattice is not finite: 'nan'"},
      {"flat_cell", comment("Lattice=\"4 0 0 0 4 0 4 4 0\" pbc=\"T T T\""),
       first + "the cell has no volume: its periodic vectors are zero or dependent"},
      {"zero_cell", comment("Lattice=\"0 0 0 0 0 0 0 0 0\""),
       first + "the cell has no volume: its periodic vectors are zero or dependent"},
      {"zero_periodic_vector", comment("Lattice=\"4 0 0 0 0 0 0 0 4\" pbc=\"T T F\""),
       first + "the cell has no volume: its periodic vectors are zero or dependent"},
      {"pbc_without_cell", comment("pbc=\"T T T\""), first + "pbc is set, but there is no Lattice"},
      {"pbc_two", cell("pbc=\"T T\""), first + "pbc has 2 values, expected 3"},
      {"pbc_word", cell("pbc=\"T T yes\""), first + "pbc: expected T or F, found 'yes'"},
      {"energy_word", comment("energy=low"), first + "energy: expected a number, found 'low'"},
      {"energy_nan", comment("energy=nan"), first + "energy is not finite: 'nan'"},
      {"energy_two", comment("energy=\"1 2\""), first + "energy has 2 numbers, expected 1"},
      {"stress_seven", cell("stress=\"1 2 3 4 5 6 7\""),
       first + "stress has 7 numbers, expected 9 or 6"},
      {"stress_asymmetric", cell("stress=\"1 2 0 2.001 1 0 0 0 1\""),
       first + "stress is not symmetric: 2 and 2.001"},
      {"stress_inf", cell("stress=\"1 0 0 0 1 0 0 0 inf\""), first + "stress is not finite: 'inf'"},
      {"virial_without_cell", comment("virial=\"1 0 0 0 1 0 0 0 1\""),
       first + "virial without a cell: stress = -virial / volume"},
      {"negative_weight", comment("config_weight=-1"),
       first + "config_weight is -1, expected 0 or more"},
      {"word_weight", comment("config_energy_weight=x"),
       first + "config_energy_weight: expected a number, found 'x'"},
  };
}
