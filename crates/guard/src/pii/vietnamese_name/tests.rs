use crate::pii::{PiiKind, PiiKinds, find};

fn names(text: &str) -> Vec<&str> {
    let found = find(text, PiiKinds::ALL, "").into_iter().filter(|finding| finding.kind == PiiKind::Name);
    found.filter_map(|finding| text.get(finding.range)).collect()
}

/// D8: names are found where neither capitals nor accents tell, in pairs of given names too.
#[test]
fn names_are_found_in_the_ways_that_people_write_them() {
    let lines = [
        ("chị lan anh ơi, bao giờ giao hàng ạ?", vec!["lan anh"]),
        ("CÔ HỒNG NHUNG NHẮN PHỤ HUYNH", vec!["HỒNG NHUNG"]),
        ("dạ em là quỳnh như, lớp trưởng", vec!["quỳnh như"]),
        ("Thân mến, Hoài Thương", vec!["Hoài Thương"]),
        ("Best regards, Đào Duy Quát", vec!["Đào Duy Quát"]),
        ("Sơ yếu của Xyn Thị Nhàn", vec!["Xyn Thị Nhàn"]),
        ("Cc: Vu Xuan Hinh; Be Thi Hoa", vec!["Vu Xuan Hinh", "Be Thi Hoa"]),
        ("Chuyên gia David Nguyễn từ Úc về", vec!["David Nguyễn"]),
        ("anh long ơi", vec!["long"]),
        ("Nhân viên Vương Quốc Tuấn", vec!["Vương Quốc Tuấn"]),
    ];
    for (line, expected) in lines {
        assert_eq!(names(line), expected, "of {line:?}");
    }
}

/// Words that begin like a name, and verbs that are given names as well, are none.
#[test]
fn words_that_only_look_like_names_stay() {
    let lines = [
        "Phạm Vi Công Việc và Điều Khoản Chung",
        "Lý Do Hủy Đơn: khách không nghe máy",
        "Giao hàng ở ngã tư Nguyễn Trãi và Khuất Duy Tiến.",
        "Học bổng Vừ A Dính cho trẻ vùng cao.",
        "cô giáo bảo cả lớp im lặng.",
        "khach hang than thiet duoc giam gia",
        "em ten la gi the, cho anh lam quen",
        "Quan Le Chan va huyen An Duong thuoc Hai Phong.",
        "họ và tên nhân viên",
        "Phòng Kế Toán Tài Chính gửi thông báo.",
    ];
    for line in lines {
        assert_eq!(names(line), Vec::<&str>::new(), "of {line:?}");
    }
}
