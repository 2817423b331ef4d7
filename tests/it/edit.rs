//! Edits of texts: one value changes, every other byte stays, and what is written is read back.

use bayplan::model::origin::Place;
use bayplan::spec::edit::remove::remove;
use bayplan::spec::edit::{New, append, document_at, replace, set, written};

#[track_caller]
fn edited(text: &str, path: &[&str], value: Option<&str>, expected: &str) {
    let new = set(text, 0, path, value).unwrap();
    assert_eq!(new, expected);
    assert_eq!(written(&new, 0, path).as_deref(), Some(value.unwrap_or("null")));
}

#[test]
fn a_value_is_changed_where_it_stands_with_its_quotes() {
    let path = ["spec", "config", "limits.memory"];
    for (before, after) in [
        (
            "spec:\n  config:\n    limits.memory: 1GiB # c\n",
            "spec:\n  config:\n    limits.memory: 2GiB # c\n",
        ),
        ("spec: {config: {limits.memory: '1GiB'}}\n", "spec: {config: {limits.memory: '2GiB'}}\n"),
        ("spec: {config: {limits.memory: \"1GiB\"}}", "spec: {config: {limits.memory: \"2GiB\"}}"),
        (
            "\u{feff}spec:\r\n  config: {limits.memory: 1GiB}\r\n",
            "\u{feff}spec:\r\n  config: {limits.memory: 2GiB}\r\n",
        ),
        ("spec:\n  config:\n    limits.memory: null\n", "spec:\n  config:\n    limits.memory: 2GiB\n"),
        (
            "spec:\n  config:\n    limits.memory:\n    user.a: ä\n",
            "spec:\n  config:\n    limits.memory: 2GiB\n    user.a: ä\n",
        ),
    ] {
        edited(before, &path, Some("2GiB"), after);
    }
    edited("spec: {config: {limits.memory: 1GiB}}\n", &path, None, "spec: {config: {limits.memory: null}}\n");
}

#[test]
fn a_value_is_added_in_the_style_of_what_stands_around_it() {
    let path = ["spec", "config", "limits.memory"];
    for (before, after) in [
        ("spec: {}\n", "spec: {config: {limits.memory: 1GiB}}\n"),
        ("spec: {image: a}\n", "spec: {image: a, config: {limits.memory: 1GiB}}\n"),
        ("spec: {image: a, }\n", "spec: {image: a, config: {limits.memory: 1GiB}, }\n"),
        ("spec:\n", "spec: {config: {limits.memory: 1GiB}}\n"),
        ("spec: ~ # none\n", "spec: {config: {limits.memory: 1GiB}} # none\n"),
        ("spec:\n  config: {}\n", "spec:\n  config: {limits.memory: 1GiB}\n"),
        (
            "spec:\n  config:\n    user.a: b # c\n\n# end\n",
            "spec:\n  config:\n    user.a: b # c\n    limits.memory: 1GiB\n\n# end\n",
        ),
        (
            "spec:\n   config:\n     user.a: |\n       x\n\n   state: any\n",
            "spec:\n   config:\n     user.a: |\n       x\n     limits.memory: 1GiB\n\n   state: any\n",
        ),
        ("spec:\n  image: a", "spec:\n  image: a\n  config:\n    limits.memory: 1GiB\n"),
        ("spec:\r\n  image: a\r\n", "spec:\r\n  image: a\r\n  config:\r\n    limits.memory: 1GiB\r\n"),
        ("kind: x\n", "kind: x\nspec:\n  config:\n    limits.memory: 1GiB\n"),
    ] {
        edited(before, &path, Some("1GiB"), after);
    }
}

#[test]
fn a_block_of_lines_stays_one() {
    let path = ["spec", "a"];
    let text = "spec:\n  a: |   # lines\n    one\n      two\n\n    three\n  b: x\n";
    for (value, block) in [
        ("1\n\n  2\n", "|   # lines\n    1\n\n      2\n"),
        ("1", "|-   # lines\n    1\n"),
        (" 1\n", "\" 1\\n\"   # lines\n"),
        ("", "\"\"   # lines\n"),
        ("1\n\n", "\"1\\n\\n\"   # lines\n"),
        ("\u{7}\n", "\"\\u0007\\n\"   # lines\n"),
    ] {
        let new = set(text, 0, &path, Some(value)).unwrap();
        assert_eq!(new, format!("spec:\n  a: {block}  b: x\n"), "{value:?}");
        assert_eq!(written(&new, 0, &path).as_deref(), Some(value), "{new}");
        assert_eq!(written(&new, 0, &["spec", "b"]).as_deref(), Some("x"), "{new}");
    }
    let last = "spec:\n  a: |\n    one\n";
    assert_eq!(set(last, 0, &path, Some("two\n")).unwrap(), "spec:\n  a: |\n    two\n");
    let folded = "spec:\n  a: >\n    one\n    two\n# end\n";
    let new = set(folded, 0, &path, Some("x\ny\n")).unwrap();
    assert_eq!(new, "spec:\n  a: |\n    x\n    y\n# end\n");
}

#[test]
fn a_value_of_one_line_becomes_a_block_where_its_mapping_has_room_for_one() {
    let path = ["spec", "a"];
    for (before, value, after) in [
        ("spec:\n  a: x   # c\n  b: y\n", "1\n  2\n", "spec:\n  a: |   # c\n    1\n      2\n  b: y\n"),
        ("spec:\n  a: 'x'", "1\n# 2", "spec:\n  a: |-\n    1\n    # 2"),
        // One line is one line; lines that the user wrote in quotes stay so, and so do brackets and line breaks.
        ("spec:\n  a: \"x\"\n", "1\n", "spec:\n  a: \"1\\n\"\n"),
        ("spec:\n  a: \"x\\ny\"\n", "1\n2\n", "spec:\n  a: \"1\\n2\\n\"\n"),
        ("spec: {a: x, b: y}\n", "1\n2\n", "spec: {a: \"1\\n2\\n\", b: y}\n"),
        ("spec:\r\n  a: x\r\n", "1\n2\n", "spec:\r\n  a: \"1\\n2\\n\"\r\n"),
        ("spec:\n  a:\n    x\n", "1\n2\n", "spec:\n  a:\n    \"1\\n2\\n\"\n"),
        ("spec:\n  a: x\n", "\n1\n2\n", "spec:\n  a: \"\\n1\\n2\\n\"\n"),
    ] {
        let new = set(before, 0, &path, Some(value)).unwrap();
        assert_eq!(new, after);
        assert_eq!(written(&new, 0, &path).as_deref(), Some(value), "{new}");
    }
}

#[test]
fn a_mapping_makes_way_for_a_value_in_flow_style() {
    let path = ["spec", "devices", "a"];
    for (before, after) in [
        (
            "spec: {devices: {a: {type: disk, path: /a}, b: {}}}\n",
            "spec: {devices: {a: {type: none}, b: {}}}\n",
        ),
        (
            "spec:\n  devices:\n    a:\n      type: disk\n      path: /a   # c\n    b: {}\n",
            "spec:\n  devices:\n    a: {type: none}   # c\n    b: {}\n",
        ),
        ("spec:\n  image: x\n", "spec:\n  image: x\n  devices:\n    a: {type: none}\n"),
    ] {
        assert_eq!(set(before, 0, &path, New::Flow("{type: none}")).unwrap(), after);
    }
}

#[test]
fn odd_texts_are_quoted_so_that_they_are_read_back() {
    for value in
        ["a: b", "# x", "yes", "1.5", "017", "", "it's", "a\"b", "- x", "{a}", "null", "10.0.0.1/24", "ä\n"]
    {
        for text in ["spec: {a: 'x'}\n", "spec: {a: \"x\"}\n", "spec:\n  a: x\n", "spec: {}\n"] {
            let new = set(text, 0, &["spec", "a"], Some(value)).unwrap();
            assert_eq!(written(&new, 0, &["spec", "a"]).as_deref(), Some(value), "{new}");
        }
    }
}

#[test]
fn what_stands_for_many_places_is_not_edited() {
    let text = "base: &base {a: 1}\nspec:\n  config: *base\n";
    assert!(
        set(text, 0, &["spec", "config", "a"], Some("2")).unwrap_err().to_string().contains("write it out")
    );
    assert!(set("spec: [a]\n", 0, &["spec", "a"], Some("2")).is_err());
    assert!(set("spec: {a: [1]}\n", 0, &["spec", "a"], Some("2")).is_err());
    assert!(set("spec: {}\n", 7, &["spec"], Some("2")).is_err());
}

#[test]
fn places_name_documents_and_single_values() {
    let text = "a: 1\n---\nb: {c: x, d: 'ü'}\n";
    let place = |line, column| Place { file: "".into(), line, column };
    assert_eq!(document_at(text, &place(3, 1)), Some(1));
    assert_eq!(replace(text, &place(3, 14), "y").unwrap(), "a: 1\n---\nb: {c: x, d: 'y'}\n");
    assert!(replace(text, &place(3, 4), "y").is_err());
    assert!(replace(text, &place(9, 1), "y").is_err());
}

#[test]
fn a_document_is_appended_behind_what_is_there() {
    assert_eq!(append("a: 1", "b: 2\n"), "a: 1\n---\nb: 2\n");
    assert_eq!(append("# only a comment\n", "b: 2\n"), "# only a comment\nb: 2\n");
    assert_eq!(append("a: 1\n---\n", "b: 2\n"), "a: 1\n---\nb: 2\n");
}

#[test]
fn an_entry_goes_with_the_mappings_that_it_alone_is_in_and_comments_stay() {
    let path = ["spec", "config", "limits.memory"];
    for (before, after) in [
        (
            "spec: {image: a, config: {limits.memory: 1GiB, user.a: b}}\n",
            "spec: {image: a, config: {user.a: b}}\n",
        ),
        (
            "spec: {image: a, config: {user.a: b, limits.memory: 1GiB}}\n",
            "spec: {image: a, config: {user.a: b}}\n",
        ),
        ("spec: {config: {limits.memory: 1GiB}, image: a}\n", "spec: {image: a}\n"),
        ("spec: {image: a, config: {\"limits.memory\": '1GiB', }}\n", "spec: {image: a}\n"),
        (
            "spec:\n  image: a\n  # how much\n  config:\n    limits.memory: 1GiB   # as agreed\n# end\n",
            "spec:\n  image: a\n  # how much\n  # as agreed\n# end\n",
        ),
        (
            "\u{feff}spec:\r\n  config:\r\n    limits.memory: 1GiB\r\n    user.a: 'x # y'",
            "\u{feff}spec:\r\n  config:\r\n    user.a: 'x # y'",
        ),
        ("spec:\n  config:\n    user.a: b\n    limits.memory:\n", "spec:\n  config:\n    user.a: b\n"),
    ] {
        assert_eq!(remove(before, 0, &path).unwrap(), after);
    }
    let file = ["spec", "files", "/etc/a"];
    let lines = "spec:\n  files:\n    /etc/a:\n      content: | # c\n        # no comment\n\n        b\n      # d\n      mode: \"0600\"\n    /etc/b: {}\n";
    assert_eq!(remove(lines, 0, &file).unwrap(), "spec:\n  files:\n    # c\n    # d\n    /etc/b: {}\n");
}

#[test]
fn an_entry_that_something_else_hangs_on_is_not_removed() {
    let path = ["spec", "config", "limits.memory"];
    for text in [
        "spec: {config: {limits.memory: 1GiB}}\n",
        "spec: {image: a, config: {limits.memory: &much 1GiB, user.a: *much}}\n",
        "a: &a {limits.memory: 2GiB}\nspec: {image: a, config: {<<: *a, limits.memory: 1GiB}}\n",
        "spec: {image: a, config: {user.a: b, # c\n  limits.memory: 1GiB}}\n",
        "spec: {image: a}\n",
    ] {
        assert!(remove(text, 0, &path).is_err(), "{text}");
    }
}
