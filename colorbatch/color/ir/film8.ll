define noundef i32 @kernel(ptr noalias writeonly %retptr, ptr noalias readnone %excinfo, ptr readonly %arg.y, ptr readonly %arg.wide, ptr readonly %arg.rows, ptr readonly %arg.weights, ptr readonly %arg.f_of, ptr readonly %arg.curves, ptr readonly %arg.numbers, ptr readonly %arg.sizes, ptr %arg.scratch, ptr writeonly %arg.cb, ptr writeonly %arg.cr) {
entry:
  %.36 = load i64, ptr %arg.sizes, align 8
  %.37 = getelementptr i8, ptr %arg.sizes, i64 8
  %.38 = load i64, ptr %.37, align 8
  %.76 = getelementptr i8, ptr %arg.sizes, i64 32
  %.77 = load i64, ptr %.76, align 8
  %.78 = getelementptr i8, ptr %arg.sizes, i64 40
  %.79 = load i64, ptr %.78, align 8
  %.80 = getelementptr i8, ptr %arg.sizes, i64 48
  %.81 = load i64, ptr %.80, align 8
  %.92 = getelementptr i8, ptr %arg.numbers, i64 60
  %.93 = load float, ptr %.92, align 4
  %.95 = getelementptr i8, ptr %arg.numbers, i64 76
  %.96 = load float, ptr %.95, align 4
  %.104 = getelementptr i8, ptr %arg.numbers, i64 68
  %.105 = load float, ptr %.104, align 4
  %.107 = getelementptr i8, ptr %arg.numbers, i64 72
  %.108 = load float, ptr %.107, align 4
  %.116 = shl nuw i64 1, %.81
  %.117 = ashr i64 %.116, 1
  %factor.op.mul845 = mul i64 %.77, %.38
  %.203846.not = icmp slt i64 %.36, 1
  br i1 %.203846.not, label %B1530, label %B274.if.lr.ph

B274.if.lr.ph:                                    ; preds = %entry
  %.41 = getelementptr i8, ptr %arg.sizes, i64 24
  %.42 = load i64, ptr %.41, align 8
  %.39 = getelementptr i8, ptr %arg.sizes, i64 16
  %.40 = load i64, ptr %.39, align 8
  %0 = add nuw i64 %.38, 1023
  %.303 = lshr i64 %0, 10
  %.282.inv = icmp sgt i64 %.38, 0
  %storemerge313 = select i1 %.282.inv, i64 %.303, i64 0
  %.325842.not = icmp eq i64 %storemerge313, 0
  %.526 = mul i64 %.40, %.38
  %.586 = icmp eq i64 %.77, 2
  %.589 = icmp eq i64 %.79, 2
  %or.cond = select i1 %.586, i1 %.589, i1 false
  %.625 = icmp eq i64 %.77, 1
  %or.cond1 = select i1 %.625, i1 %.589, i1 false
  %.665 = mul nsw i64 %.79, %.38
  %.239.i410763.not = icmp slt i64 %.77, 1
  %.378.i427755.not = icmp slt i64 %.79, 1
  %.592 = shl nsw i64 %.38, 1
  %.20.i451 = getelementptr i8, ptr %arg.numbers, i64 4
  %.23.i453 = getelementptr i8, ptr %arg.numbers, i64 8
  %.38.i455 = getelementptr i8, ptr %arg.numbers, i64 12
  %.41.i = getelementptr i8, ptr %arg.numbers, i64 16
  %.44.i457 = getelementptr i8, ptr %arg.numbers, i64 20
  %.59.i459 = getelementptr i8, ptr %arg.numbers, i64 24
  %.62.i461 = getelementptr i8, ptr %arg.numbers, i64 28
  %.65.i462 = getelementptr i8, ptr %arg.numbers, i64 32
  %.80.i = icmp eq i64 %.42, 0
  %.1208.i = icmp eq i64 %.42, 3
  %.12.i668 = getelementptr i8, ptr %arg.numbers, i64 36
  %.15.i = getelementptr i8, ptr %arg.numbers, i64 40
  %.18.i670 = getelementptr i8, ptr %arg.numbers, i64 44
  %.32.i672 = getelementptr i8, ptr %arg.numbers, i64 48
  %.34.i674 = getelementptr i8, ptr %arg.numbers, i64 52
  %.36.i676 = getelementptr i8, ptr %arg.numbers, i64 56
  br label %B274.if

B272.loopexit:                                    ; preds = %B322.loopexit, %B274.if
  %exitcond858.not = icmp eq i64 %.216, %.36
  br i1 %exitcond858.not, label %B1530, label %B274.if

B322.loopexit:                                    ; preds = %B1398.if, %B1398.preheader
  %.325 = icmp sgt i64 %.271.0844, 1
  br i1 %.325, label %B324.if, label %B272.loopexit

B422.loopexit:                                    ; preds = %B266.if.i, %B422.if
  br i1 %exitcond.not, label %B526, label %B422.if

B526:                                             ; preds = %B422.loopexit
  %.334 = add nsw i64 %.271.0844, -1
  %.338 = add nuw i64 %.268.0843, 1024
  %.404 = add nsw i64 %.268.0843, %.402
  %.575314 = add i64 %.268.0843, %factor.op.mul.reass
  %.581 = mul i64 %.575314, %.79
  %.105.i802.not = icmp slt i64 %.368, 1
  br i1 %or.cond, label %B584, label %B634

B584:                                             ; preds = %B526
  br i1 %.105.i802.not, label %B756, label %B36.if.i.lr.ph

B36.if.i.lr.ph:                                   ; preds = %B584
  %1 = getelementptr i8, ptr %arg.y, i64 %.581
  br label %B36.if.i

B190.i.loopexit:                                  ; preds = %B224.if.i
  br i1 %exitcond856.not, label %B388.i, label %B190.if.i

B388.i:                                           ; preds = %B190.i.loopexit
  %.114.i = add nsw i64 %.49.i.0804, -1
  %.118.i326 = add nuw nsw i64 %.46.i322.0803, 1
  %.525.i = sitofp i64 %.432.i to float
  %2 = getelementptr float, ptr %arg.scratch, i64 %.46.i322.0803
  %.531.i = getelementptr i8, ptr %2, i64 20480
  store float %.525.i, ptr %.531.i, align 4, !noalias !0
  %.534.i = uitofp nneg i32 %.13.i445 to float
  %.540.i = getelementptr i8, ptr %2, i64 12288
  store float %.534.i, ptr %.540.i, align 4, !noalias !0
  %.543.i = uitofp nneg i32 %.13.i448 to float
  %.551.i = getelementptr i8, ptr %2, i64 16384
  store float %.543.i, ptr %.551.i, align 4, !noalias !0
  %.105.i = icmp sgt i64 %.49.i.0804, 1
  br i1 %.105.i, label %B36.if.i, label %B756

B36.if.i:                                         ; preds = %B36.if.i.lr.ph, %B388.i
  %.49.i.0804 = phi i64 [ %.13.i, %B36.if.i.lr.ph ], [ %.114.i, %B388.i ]
  %.46.i322.0803 = phi i64 [ 0, %B36.if.i.lr.ph ], [ %.118.i326, %B388.i ]
  %.423.i = shl nuw nsw i64 %.46.i322.0803, 1
  %invariant.gep795 = getelementptr i8, ptr %1, i64 %.423.i
  br label %B190.if.i

B190.if.i:                                        ; preds = %B36.if.i, %B190.i.loopexit
  %total.3.1.i801 = phi i64 [ 0, %B36.if.i ], [ %.432.i, %B190.i.loopexit ]
  %low.3.1.i800 = phi i32 [ 65535, %B36.if.i ], [ %.13.i445, %B190.i.loopexit ]
  %high.3.1.i799 = phi i32 [ 0, %B36.if.i ], [ %.13.i448, %B190.i.loopexit ]
  %exitcond856.not = phi i1 [ false, %B36.if.i ], [ true, %B190.i.loopexit ]
  %.183.i.0797 = phi i64 [ 0, %B36.if.i ], [ 1, %B190.i.loopexit ]
  %3 = mul nuw nsw i64 %.592, %.183.i.0797
  %gep796 = getelementptr i8, ptr %invariant.gep795, i64 %3
  br label %B224.if.i

B224.if.i:                                        ; preds = %B190.if.i, %B224.if.i
  %total.2.2.i794 = phi i64 [ %total.3.1.i801, %B190.if.i ], [ %.432.i, %B224.if.i ]
  %low.2.2.i793 = phi i32 [ %low.3.1.i800, %B190.if.i ], [ %.13.i445, %B224.if.i ]
  %high.2.2.i792 = phi i32 [ %high.3.1.i799, %B190.if.i ], [ %.13.i448, %B224.if.i ]
  %.322.i.0790 = phi i64 [ 0, %B190.if.i ], [ %.391.i, %B224.if.i ]
  %.391.i = add nuw nsw i64 %.322.i.0790, 1
  %.427.i = getelementptr i8, ptr %gep796, i64 %.322.i.0790
  %.428.i = load i8, ptr %.427.i, align 1, !noalias !0
  %.429.i = zext i8 %.428.i to i32
  %.431.i = zext i8 %.428.i to i64
  %.432.i = add nsw i64 %total.2.2.i794, %.431.i
  %.13.i445 = tail call i32 @llvm.smin.i32(i32 range(i32 0, 256) %.429.i, i32 %low.2.2.i793)
  %.13.i448 = tail call i32 @llvm.smax.i32(i32 range(i32 0, 256) %.429.i, i32 %high.2.2.i792)
  %exitcond855.not = icmp eq i64 %.391.i, 2
  br i1 %exitcond855.not, label %B190.i.loopexit, label %B224.if.i

B634:                                             ; preds = %B526
  br i1 %or.cond1, label %B658, label %B708

B658:                                             ; preds = %B634
  br i1 %.105.i802.not, label %B756, label %B36.if.i344.lr.ph

B36.if.i344.lr.ph:                                ; preds = %B658
  %4 = getelementptr i8, ptr %arg.y, i64 %.581
  br label %B36.if.i344

B388.i354:                                        ; preds = %B224.if.i371
  %.114.i346 = add nsw i64 %.49.i330.0789, -1
  %.118.i347 = add nuw nsw i64 %.46.i329.0788, 1
  %.525.i355 = uitofp nneg i64 %.432.i380 to float
  %5 = getelementptr float, ptr %arg.scratch, i64 %.46.i329.0788
  %.531.i356 = getelementptr i8, ptr %5, i64 20480
  store float %.525.i355, ptr %.531.i356, align 4, !noalias !3
  %.534.i357 = uitofp nneg i32 %.13.i444 to float
  %.540.i358 = getelementptr i8, ptr %5, i64 12288
  store float %.534.i357, ptr %.540.i358, align 4, !noalias !3
  %.543.i359 = uitofp nneg i32 %.13.i447 to float
  %.551.i360 = getelementptr i8, ptr %5, i64 16384
  store float %.543.i359, ptr %.551.i360, align 4, !noalias !3
  %.105.i343 = icmp sgt i64 %.49.i330.0789, 1
  br i1 %.105.i343, label %B36.if.i344, label %B756

B36.if.i344:                                      ; preds = %B36.if.i344.lr.ph, %B388.i354
  %.49.i330.0789 = phi i64 [ %.13.i, %B36.if.i344.lr.ph ], [ %.114.i346, %B388.i354 ]
  %.46.i329.0788 = phi i64 [ 0, %B36.if.i344.lr.ph ], [ %.118.i347, %B388.i354 ]
  %.423.i375 = shl nuw nsw i64 %.46.i329.0788, 1
  %invariant.gep780 = getelementptr i8, ptr %4, i64 %.423.i375
  br label %B224.if.i371

B224.if.i371:                                     ; preds = %B36.if.i344, %B224.if.i371
  %total.2.2.i368779 = phi i64 [ 0, %B36.if.i344 ], [ %.432.i380, %B224.if.i371 ]
  %low.2.2.i367778 = phi i32 [ 65535, %B36.if.i344 ], [ %.13.i444, %B224.if.i371 ]
  %high.2.2.i366777 = phi i32 [ 0, %B36.if.i344 ], [ %.13.i447, %B224.if.i371 ]
  %.322.i333.0775 = phi i64 [ 0, %B36.if.i344 ], [ %.391.i374, %B224.if.i371 ]
  %.391.i374 = add nuw nsw i64 %.322.i333.0775, 1
  %.427.i376 = getelementptr i8, ptr %invariant.gep780, i64 %.322.i333.0775
  %.428.i377 = load i8, ptr %.427.i376, align 1, !noalias !3
  %.429.i378 = zext i8 %.428.i377 to i32
  %.431.i379 = zext i8 %.428.i377 to i64
  %.432.i380 = add nuw nsw i64 %total.2.2.i368779, %.431.i379
  %.13.i444 = tail call i32 @llvm.smin.i32(i32 range(i32 0, 256) %.429.i378, i32 %low.2.2.i367778)
  %.13.i447 = tail call i32 @llvm.smax.i32(i32 range(i32 0, 256) %.429.i378, i32 %high.2.2.i366777)
  %exitcond854.not = icmp eq i64 %.391.i374, 2
  br i1 %exitcond854.not, label %B388.i354, label %B224.if.i371

B708:                                             ; preds = %B634
  br i1 %.105.i802.not, label %B756, label %B36.if.i401.lr.ph

B36.if.i401.lr.ph:                                ; preds = %B708
  %6 = getelementptr i8, ptr %arg.y, i64 %.581
  br label %B36.if.i401

B190.i405.loopexit:                               ; preds = %B224.if.i428, %B190.if.i418
  %high.2.2.i423.lcssa = phi i32 [ %high.3.1.i406766, %B190.if.i418 ], [ %.13.i446, %B224.if.i428 ]
  %low.2.2.i424.lcssa = phi i32 [ %low.3.1.i407767, %B190.if.i418 ], [ %.13.i443, %B224.if.i428 ]
  %total.2.2.i425.lcssa = phi i64 [ %total.3.1.i408768, %B190.if.i418 ], [ %.432.i437, %B224.if.i428 ]
  %exitcond853.not = icmp eq i64 %.77, %.252.i421
  br i1 %exitcond853.not, label %B388.i411.loopexit, label %B190.if.i418

B388.i411.loopexit:                               ; preds = %B190.i405.loopexit
  %7 = sitofp i64 %total.2.2.i425.lcssa to float
  %8 = uitofp nneg i32 %low.2.2.i424.lcssa to float
  %9 = uitofp nneg i32 %high.2.2.i423.lcssa to float
  br label %B388.i411

B388.i411:                                        ; preds = %B388.i411.loopexit, %B36.if.i401
  %high.3.1.i406.lcssa = phi float [ 0.000000e+00, %B36.if.i401 ], [ %9, %B388.i411.loopexit ]
  %low.3.1.i407.lcssa = phi float [ 6.553500e+04, %B36.if.i401 ], [ %8, %B388.i411.loopexit ]
  %total.3.1.i408.lcssa = phi float [ 0.000000e+00, %B36.if.i401 ], [ %7, %B388.i411.loopexit ]
  %10 = getelementptr float, ptr %arg.scratch, i64 %.46.i386.0773
  %.531.i413 = getelementptr i8, ptr %10, i64 20480
  store float %total.3.1.i408.lcssa, ptr %.531.i413, align 4, !noalias !6
  %.540.i415 = getelementptr i8, ptr %10, i64 12288
  store float %low.3.1.i407.lcssa, ptr %.540.i415, align 4, !noalias !6
  %.551.i417 = getelementptr i8, ptr %10, i64 16384
  store float %high.3.1.i406.lcssa, ptr %.551.i417, align 4, !noalias !6
  %.105.i400 = icmp sgt i64 %.49.i387.0774, 1
  br i1 %.105.i400, label %B36.if.i401, label %B756

B36.if.i401:                                      ; preds = %B36.if.i401.lr.ph, %B388.i411
  %.49.i387.0774 = phi i64 [ %.13.i, %B36.if.i401.lr.ph ], [ %.114.i403, %B388.i411 ]
  %.46.i386.0773 = phi i64 [ 0, %B36.if.i401.lr.ph ], [ %.118.i404, %B388.i411 ]
  %.114.i403 = add nsw i64 %.49.i387.0774, -1
  %.118.i404 = add nuw nsw i64 %.46.i386.0773, 1
  br i1 %.239.i410763.not, label %B388.i411, label %B190.if.i418.lr.ph

B190.if.i418.lr.ph:                               ; preds = %B36.if.i401
  %.423.i432 = mul nsw i64 %.46.i386.0773, %.79
  %invariant.gep = getelementptr i8, ptr %6, i64 %.423.i432
  br label %B190.if.i418

B190.if.i418:                                     ; preds = %B190.if.i418.lr.ph, %B190.i405.loopexit
  %total.3.1.i408768 = phi i64 [ 0, %B190.if.i418.lr.ph ], [ %total.2.2.i425.lcssa, %B190.i405.loopexit ]
  %low.3.1.i407767 = phi i32 [ 65535, %B190.if.i418.lr.ph ], [ %low.2.2.i424.lcssa, %B190.i405.loopexit ]
  %high.3.1.i406766 = phi i32 [ 0, %B190.if.i418.lr.ph ], [ %high.2.2.i423.lcssa, %B190.i405.loopexit ]
  %.183.i388.0764 = phi i64 [ 0, %B190.if.i418.lr.ph ], [ %.252.i421, %B190.i405.loopexit ]
  %.252.i421 = add nuw nsw i64 %.183.i388.0764, 1
  br i1 %.378.i427755.not, label %B190.i405.loopexit, label %B224.if.i428.lr.ph

B224.if.i428.lr.ph:                               ; preds = %B190.if.i418
  %11 = mul nsw i64 %.665, %.183.i388.0764
  %gep = getelementptr i8, ptr %invariant.gep, i64 %11
  br label %B224.if.i428

B224.if.i428:                                     ; preds = %B224.if.i428.lr.ph, %B224.if.i428
  %total.2.2.i425760 = phi i64 [ %total.3.1.i408768, %B224.if.i428.lr.ph ], [ %.432.i437, %B224.if.i428 ]
  %low.2.2.i424759 = phi i32 [ %low.3.1.i407767, %B224.if.i428.lr.ph ], [ %.13.i443, %B224.if.i428 ]
  %high.2.2.i423758 = phi i32 [ %high.3.1.i406766, %B224.if.i428.lr.ph ], [ %.13.i446, %B224.if.i428 ]
  %.322.i390.0756 = phi i64 [ 0, %B224.if.i428.lr.ph ], [ %.391.i431, %B224.if.i428 ]
  %.391.i431 = add nuw nsw i64 %.322.i390.0756, 1
  %.427.i433 = getelementptr i8, ptr %gep, i64 %.322.i390.0756
  %.428.i434 = load i8, ptr %.427.i433, align 1, !noalias !6
  %.429.i435 = zext i8 %.428.i434 to i32
  %.431.i436 = zext i8 %.428.i434 to i64
  %.432.i437 = add nsw i64 %total.2.2.i425760, %.431.i436
  %.13.i443 = tail call i32 @llvm.smin.i32(i32 range(i32 0, 256) %.429.i435, i32 %low.2.2.i424759)
  %.13.i446 = tail call i32 @llvm.smax.i32(i32 range(i32 0, 256) %.429.i435, i32 %high.2.2.i423758)
  %exitcond852.not = icmp eq i64 %.79, %.391.i431
  br i1 %exitcond852.not, label %B190.i405.loopexit, label %B224.if.i428

B756:                                             ; preds = %B388.i411, %B388.i354, %B388.i, %B708, %B658, %B584
  %storemerge315 = tail call i64 @llvm.smax.i64(i64 %.13.i, i64 0)
  %.779805.not = icmp slt i64 %.368, 1
  br i1 %.779805.not, label %B936.preheader, label %B786.if

B936.preheader:                                   ; preds = %B786.if, %B756
  %.918808.not = icmp slt i64 %.368, 1
  br i1 %.918808.not, label %B1130, label %B936.if

B1130:                                            ; preds = %B936.if, %B936.preheader
  %.18.i = load float, ptr %arg.numbers, align 4, !noalias !9
  %.21.i452 = load float, ptr %.20.i451, align 4, !noalias !9
  %.24.i454 = load float, ptr %.23.i453, align 4, !noalias !9
  %.39.i456 = load float, ptr %.38.i455, align 4, !noalias !9
  %.42.i = load float, ptr %.41.i, align 4, !noalias !9
  %.45.i458 = load float, ptr %.44.i457, align 4, !noalias !9
  %.60.i460 = load float, ptr %.59.i459, align 4, !noalias !9
  %.63.i = load float, ptr %.62.i461, align 4, !noalias !9
  %.66.i = load float, ptr %.65.i462, align 4, !noalias !9
  %.168.i464822.not = icmp slt i64 %.368, 1
  br i1 %.80.i, label %B324.i.preheader, label %B918.i.preheader

B918.i.preheader:                                 ; preds = %B1130
  br i1 %.168.i464822.not, label %B1428.i.preheader, label %B918.if.i

B324.i.preheader:                                 ; preds = %B1130
  br i1 %.168.i464822.not, label %B786.i.preheader, label %B324.if.i

B786.i.preheader:                                 ; preds = %B324.if.i, %B324.i.preheader
  %.609.i826.not = icmp slt i64 %.368, 1
  br label %B786.if.i

B786.i.loopexit:                                  ; preds = %B828.if.i, %B786.if.i
  %.490.i = icmp samesign ugt i64 %.437.i.0829, 1
  br i1 %.490.i, label %B786.if.i, label %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit

B1428.i.preheader:                                ; preds = %B918.if.i, %B918.i.preheader
  %.1312.i817.not = icmp slt i64 %.368, 1
  br label %B1428.if.i

B1428.i.loopexit:                                 ; preds = %B1528.if.i, %B1428.if.i
  %exitcond857.not = icmp eq i64 %.1179.i, 3
  br i1 %exitcond857.not, label %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit, label %B1428.if.i

B324.if.i:                                        ; preds = %B324.i.preheader, %B324.if.i
  %.110.i.0824 = phi i64 [ %.181.i, %B324.if.i ], [ 0, %B324.i.preheader ]
  %.113.i.0823 = phi i64 [ %.177.i, %B324.if.i ], [ %storemerge315, %B324.i.preheader ]
  %.177.i = add nsw i64 %.113.i.0823, -1
  %.181.i = add nuw nsw i64 %.110.i.0824, 1
  %.208.i465 = getelementptr float, ptr %arg.scratch, i64 %.110.i.0824
  %.209.i466 = load float, ptr %.208.i465, align 4, !noalias !9
  %.212.i = getelementptr i8, ptr %.208.i465, i64 4096
  %.213.i467 = load float, ptr %.212.i, align 4, !noalias !9
  %.214.i468 = fmul float %.213.i467, 0x3F60624DE0000000
  %.215.i = fadd float %.209.i466, %.214.i468
  %.12.i645 = fcmp ogt float %.215.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i646 = select i1 %.12.i645, float %.215.i, float 0x3FCA7B9620000000
  %.31.i485 = fsub float %.215.i, %arg.first.arg.second.i646
  %.32.i486 = fmul float %.31.i485, 0x3FC07004E0000000
  %.33.i487 = fmul float %arg.first.arg.second.i646, %arg.first.arg.second.i646
  %.34.i488 = fmul float %arg.first.arg.second.i646, %.33.i487
  %.35.i489 = fadd float %.32.i486, %.34.i488
  %.12.i647 = fcmp ogt float %.209.i466, 0x3FCA7B9620000000
  %arg.first.arg.second.i648 = select i1 %.12.i647, float %.209.i466, float 0x3FCA7B9620000000
  %.31.i476 = fsub float %.209.i466, %arg.first.arg.second.i648
  %.32.i477 = fmul float %.31.i476, 0x3FC07004E0000000
  %.33.i478 = fmul float %arg.first.arg.second.i648, %arg.first.arg.second.i648
  %.34.i479 = fmul float %arg.first.arg.second.i648, %.33.i478
  %.35.i480 = fadd float %.32.i477, %.34.i479
  %.266.i = getelementptr i8, ptr %.208.i465, i64 8192
  %.267.i = load float, ptr %.266.i, align 4, !noalias !9
  %.268.i = fmul float %.267.i, 0x3F747AE140000000
  %12 = fsub float %.209.i466, %.268.i
  %.12.i649 = fcmp ogt float %12, 0x3FCA7B9620000000
  %arg.first.arg.second.i650 = select i1 %.12.i649, float %12, float 0x3FCA7B9620000000
  %.31.i = fsub float %12, %arg.first.arg.second.i650
  %.32.i = fmul float %.31.i, 0x3FC07004E0000000
  %.33.i470 = fmul float %arg.first.arg.second.i650, %arg.first.arg.second.i650
  %.34.i471 = fmul float %arg.first.arg.second.i650, %.33.i470
  %.35.i = fadd float %.32.i, %.34.i471
  %.17.i558 = fmul float %.18.i, %.35.i489
  %.19.i559 = fmul float %.21.i452, %.35.i480
  %.20.i560 = fadd float %.19.i559, %.17.i558
  %.25.i561 = fmul float %.24.i454, %.35.i
  %.26.i562 = fadd float %.20.i560, %.25.i561
  %.12.i631 = fcmp ogt float %.26.i562, 0.000000e+00
  %arg.first.arg.second.i632 = select i1 %.12.i631, float %.26.i562, float 0.000000e+00
  %.12.i657 = fcmp olt float %arg.first.arg.second.i632, 1.000000e+00
  %arg.first.arg.second.i658 = select i1 %.12.i657, float %arg.first.arg.second.i632, float 1.000000e+00
  store float %arg.first.arg.second.i658, ptr %.208.i465, align 4, !noalias !9
  %.17.i545 = fmul float %.39.i456, %.35.i489
  %.19.i546 = fmul float %.42.i, %.35.i480
  %.20.i547 = fadd float %.19.i546, %.17.i545
  %.25.i548 = fmul float %.45.i458, %.35.i
  %.26.i549 = fadd float %.20.i547, %.25.i548
  %.12.i633 = fcmp ogt float %.26.i549, 0.000000e+00
  %arg.first.arg.second.i634 = select i1 %.12.i633, float %.26.i549, float 0.000000e+00
  %.12.i659 = fcmp olt float %arg.first.arg.second.i634, 1.000000e+00
  %arg.first.arg.second.i660 = select i1 %.12.i659, float %arg.first.arg.second.i634, float 1.000000e+00
  store float %arg.first.arg.second.i660, ptr %.212.i, align 4, !noalias !9
  %.17.i = fmul float %.60.i460, %.35.i489
  %.19.i535 = fmul float %.63.i, %.35.i480
  %.20.i536 = fadd float %.19.i535, %.17.i
  %.25.i537 = fmul float %.66.i, %.35.i
  %.26.i538 = fadd float %.20.i536, %.25.i537
  %.12.i635 = fcmp ogt float %.26.i538, 0.000000e+00
  %arg.first.arg.second.i636 = select i1 %.12.i635, float %.26.i538, float 0.000000e+00
  %.12.i661 = fcmp olt float %arg.first.arg.second.i636, 1.000000e+00
  %arg.first.arg.second.i662 = select i1 %.12.i661, float %arg.first.arg.second.i636, float 1.000000e+00
  store float %arg.first.arg.second.i662, ptr %.266.i, align 4, !noalias !9
  %.168.i464 = icmp sgt i64 %.113.i.0823, 1
  br i1 %.168.i464, label %B324.if.i, label %B786.i.preheader

B786.if.i:                                        ; preds = %B786.i.preheader, %B786.i.loopexit
  %.434.i.0830 = phi i64 [ 0, %B786.i.preheader ], [ %.503.i, %B786.i.loopexit ]
  %.437.i.0829 = phi i64 [ 3, %B786.i.preheader ], [ %.499.i, %B786.i.loopexit ]
  %.499.i = add nsw i64 %.437.i.0829, -1
  %.503.i = add nuw nsw i64 %.434.i.0830, 1024
  br i1 %.609.i826.not, label %B786.i.loopexit, label %B828.if.i

B828.if.i:                                        ; preds = %B786.if.i, %B828.if.i
  %.553.i.0828 = phi i64 [ %.622.i, %B828.if.i ], [ %.434.i.0830, %B786.if.i ]
  %.556.i.0827 = phi i64 [ %.618.i, %B828.if.i ], [ %storemerge315, %B786.if.i ]
  %.618.i = add nsw i64 %.556.i.0827, -1
  %.622.i = add nuw nsw i64 %.553.i.0828, 1
  %.648.i = getelementptr float, ptr %arg.scratch, i64 %.553.i.0828
  %.649.i = load float, ptr %.648.i, align 4, !noalias !9
  %.12.i637 = fcmp ogt float %.649.i, 0x3F69A5C380000000
  %arg.first.arg.second.i638 = select i1 %.12.i637, float %.649.i, float 0x3F69A5C380000000
  %.38.i530.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i638)
  %.12.i663 = fcmp olt float %.649.i, 0x3F69A5C380000000
  %arg.first.arg.second.i664 = select i1 %.12.i663, float %.649.i, float 0x3F69A5C380000000
  %.43.i524 = fmul float %.38.i530.le, 0x4032D984C0000000
  %.44.i525 = fadd float %.43.i524, 0x40329423A0000000
  %.45.i526 = fmul float %.38.i530.le, %.44.i525
  %.46.i527 = fadd float %.45.i526, 0x3FF99BD800000000
  %.47.i = fadd float %.38.i530.le, 0xBFACA5F1C0000000
  %.48.i = fmul float %.47.i, %.46.i527
  %.49.i528 = fmul float %.38.i530.le, 0x3FEE2FF120000000
  %.50.i = fadd float %.49.i528, 0x4035953220000000
  %.51.i = fmul float %.38.i530.le, %.50.i
  %.52.i = fadd float %.51.i, 0x402DBE9E80000000
  %.53.i = fmul float %.38.i530.le, %.52.i
  %.54.i = fadd float %.53.i, 1.000000e+00
  %.58.i529 = fdiv float %.48.i, %.54.i
  %.83.i = fmul float %arg.first.arg.second.i664, 0x4029D70A40000000
  %.84.i = fadd float %.83.i, %.58.i529
  store float %.84.i, ptr %.648.i, align 4, !noalias !9
  %.609.i = icmp sgt i64 %.556.i.0827, 1
  br i1 %.609.i, label %B828.if.i, label %B786.i.loopexit

B918.if.i:                                        ; preds = %B918.i.preheader, %B918.if.i
  %.717.i.0816 = phi i64 [ %.786.i, %B918.if.i ], [ 0, %B918.i.preheader ]
  %.720.i.0815 = phi i64 [ %.782.i, %B918.if.i ], [ %storemerge315, %B918.i.preheader ]
  %.782.i = add nsw i64 %.720.i.0815, -1
  %.786.i = add nuw nsw i64 %.717.i.0816, 1
  %.813.i = getelementptr float, ptr %arg.scratch, i64 %.717.i.0816
  %.814.i = load float, ptr %.813.i, align 4, !noalias !9
  %.817.i = getelementptr i8, ptr %.813.i, i64 4096
  %.818.i = load float, ptr %.817.i, align 4, !noalias !9
  %.819.i = fmul float %.818.i, 0x3F60624DE0000000
  %.820.i = fadd float %.814.i, %.819.i
  %.12.i639 = fcmp ogt float %.820.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i640 = select i1 %.12.i639, float %.820.i, float 0x3FCA7B9620000000
  %.31.i512 = fsub float %.820.i, %arg.first.arg.second.i640
  %.32.i513 = fmul float %.31.i512, 0x3FC07004E0000000
  %.33.i514 = fmul float %arg.first.arg.second.i640, %arg.first.arg.second.i640
  %.34.i515 = fmul float %arg.first.arg.second.i640, %.33.i514
  %.35.i516 = fadd float %.32.i513, %.34.i515
  %.12.i641 = fcmp ogt float %.814.i, 0x3FCA7B9620000000
  %arg.first.arg.second.i642 = select i1 %.12.i641, float %.814.i, float 0x3FCA7B9620000000
  %.31.i503 = fsub float %.814.i, %arg.first.arg.second.i642
  %.32.i504 = fmul float %.31.i503, 0x3FC07004E0000000
  %.33.i505 = fmul float %arg.first.arg.second.i642, %arg.first.arg.second.i642
  %.34.i506 = fmul float %arg.first.arg.second.i642, %.33.i505
  %.35.i507 = fadd float %.32.i504, %.34.i506
  %.871.i = getelementptr i8, ptr %.813.i, i64 8192
  %.872.i = load float, ptr %.871.i, align 4, !noalias !9
  %.873.i = fmul float %.872.i, 0x3F747AE140000000
  %13 = fsub float %.814.i, %.873.i
  %.12.i643 = fcmp ogt float %13, 0x3FCA7B9620000000
  %arg.first.arg.second.i644 = select i1 %.12.i643, float %13, float 0x3FCA7B9620000000
  %.31.i494 = fsub float %13, %arg.first.arg.second.i644
  %.32.i495 = fmul float %.31.i494, 0x3FC07004E0000000
  %.33.i496 = fmul float %arg.first.arg.second.i644, %arg.first.arg.second.i644
  %.34.i497 = fmul float %arg.first.arg.second.i644, %.33.i496
  %.35.i498 = fadd float %.32.i495, %.34.i497
  %.17.i597 = fmul float %.18.i, %.35.i516
  %.19.i598 = fmul float %.21.i452, %.35.i507
  %.20.i599 = fadd float %.19.i598, %.17.i597
  %.25.i600 = fmul float %.24.i454, %.35.i498
  %.26.i601 = fadd float %.20.i599, %.25.i600
  %.12.i626 = fcmp ogt float %.26.i601, 0.000000e+00
  %arg.first.arg.second.i = select i1 %.12.i626, float %.26.i601, float 0.000000e+00
  %.12.i651 = fcmp olt float %arg.first.arg.second.i, 1.000000e+00
  %arg.first.arg.second.i652 = select i1 %.12.i651, float %arg.first.arg.second.i, float 1.000000e+00
  %.12.i624.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i652)
  %.17.i621 = fmul float %.12.i624.le, 6.553500e+04
  %.18.i622 = fadd float %.17.i621, 5.000000e-01
  store float %.18.i622, ptr %.813.i, align 4, !noalias !9
  %.17.i584 = fmul float %.39.i456, %.35.i516
  %.19.i585 = fmul float %.42.i, %.35.i507
  %.20.i586 = fadd float %.19.i585, %.17.i584
  %.25.i587 = fmul float %.45.i458, %.35.i498
  %.26.i588 = fadd float %.20.i586, %.25.i587
  %.12.i627 = fcmp ogt float %.26.i588, 0.000000e+00
  %arg.first.arg.second.i628 = select i1 %.12.i627, float %.26.i588, float 0.000000e+00
  %.12.i653 = fcmp olt float %arg.first.arg.second.i628, 1.000000e+00
  %arg.first.arg.second.i654 = select i1 %.12.i653, float %arg.first.arg.second.i628, float 1.000000e+00
  %.12.i616.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i654)
  %.17.i613 = fmul float %.12.i616.le, 6.553500e+04
  %.18.i614 = fadd float %.17.i613, 5.000000e-01
  store float %.18.i614, ptr %.817.i, align 4, !noalias !9
  %.17.i571 = fmul float %.60.i460, %.35.i516
  %.19.i572 = fmul float %.63.i, %.35.i507
  %.20.i573 = fadd float %.19.i572, %.17.i571
  %.25.i574 = fmul float %.66.i, %.35.i498
  %.26.i575 = fadd float %.20.i573, %.25.i574
  %.12.i629 = fcmp ogt float %.26.i575, 0.000000e+00
  %arg.first.arg.second.i630 = select i1 %.12.i629, float %.26.i575, float 0.000000e+00
  %.12.i655 = fcmp olt float %arg.first.arg.second.i630, 1.000000e+00
  %arg.first.arg.second.i656 = select i1 %.12.i655, float %arg.first.arg.second.i630, float 1.000000e+00
  %.12.i.le = tail call float @llvm.sqrt.f32(float %arg.first.arg.second.i656)
  %.17.i607 = fmul float %.12.i.le, 6.553500e+04
  %.18.i608 = fadd float %.17.i607, 5.000000e-01
  store float %.18.i608, ptr %.871.i, align 4, !noalias !9
  %.773.i = icmp sgt i64 %.720.i.0815, 1
  br i1 %.773.i, label %B918.if.i, label %B1428.i.preheader

B1428.if.i:                                       ; preds = %B1428.i.preheader, %B1428.i.loopexit
  %.1110.i.0820 = phi i64 [ 0, %B1428.i.preheader ], [ %.1179.i, %B1428.i.loopexit ]
  %.1179.i = add nuw nsw i64 %.1110.i.0820, 1
  br i1 %.1312.i817.not, label %B1428.i.loopexit, label %B1528.if.i.lr.ph

B1528.if.i.lr.ph:                                 ; preds = %B1428.if.i
  %.1226.i = shl nuw nsw i64 %.1110.i.0820, 10
  %.1211.i = shl nuw nsw i64 %.1110.i.0820, 16
  %"$phi1456.1.2.1.i" = select i1 %.1208.i, i64 %.1211.i, i64 0
  %14 = getelementptr float, ptr %arg.curves, i64 %"$phi1456.1.2.1.i"
  br label %B1528.if.i

B1528.if.i:                                       ; preds = %B1528.if.i.lr.ph, %B1528.if.i
  %.1259.i.0819 = phi i64 [ %storemerge315, %B1528.if.i.lr.ph ], [ %.1321.i, %B1528.if.i ]
  %.1256.i.0818 = phi i64 [ %.1226.i, %B1528.if.i.lr.ph ], [ %.1325.i, %B1528.if.i ]
  %.1321.i = add nsw i64 %.1259.i.0819, -1
  %.1325.i = add nuw nsw i64 %.1256.i.0818, 1
  %.1351.i = getelementptr float, ptr %arg.scratch, i64 %.1256.i.0818
  %.1352.i = load float, ptr %.1351.i, align 4, !noalias !9
  %.1353.i = fptosi float %.1352.i to i64
  %.1357.i = getelementptr float, ptr %14, i64 %.1353.i
  %.1358.i = load float, ptr %.1357.i, align 4, !noalias !9
  store float %.1358.i, ptr %.1351.i, align 4, !noalias !9
  %.1312.i = icmp sgt i64 %.1259.i.0819, 1
  br i1 %.1312.i, label %B1528.if.i, label %B1428.i.loopexit

_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit: ; preds = %B1428.i.loopexit, %B786.i.loopexit
  %.13.i669 = load float, ptr %.12.i668, align 4, !noalias !12
  %.16.i = load float, ptr %.15.i, align 4, !noalias !12
  %.19.i671 = load float, ptr %.18.i670, align 4, !noalias !12
  %.33.i673 = load float, ptr %.32.i672, align 4, !noalias !12
  %.35.i675 = load float, ptr %.34.i674, align 4, !noalias !12
  %.37.i677 = load float, ptr %.36.i676, align 4, !noalias !12
  %.128.i831.not = icmp slt i64 %.368, 1
  br i1 %.128.i831.not, label %B1244.preheader, label %B200.if.i

B1244.preheader:                                  ; preds = %B200.if.i, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit
  %.1137835.not = icmp slt i64 %.368, 1
  br i1 %.1137835.not, label %B1398.preheader, label %B1244.if.lr.ph

B1244.if.lr.ph:                                   ; preds = %B1244.preheader
  %15 = getelementptr i8, ptr %arg.cb, i64 %.404
  br label %B1244.if

B200.if.i:                                        ; preds = %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit, %B200.if.i
  %.70.i.0833 = phi i64 [ %.141.i, %B200.if.i ], [ 0, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit ]
  %.73.i665.0832 = phi i64 [ %.137.i, %B200.if.i ], [ %storemerge315, %_ZN10colorbatch5color7kernels7_valuesB2v9B54c8tJTIeFIjxB2IKSgI4CrvQCk0Z4yRYcWsBAw4hWqFpgsIBZmgA_3dE10float32_2ax10float32_2ax10float32_2a.exit ]
  %.137.i = add nsw i64 %.73.i665.0832, -1
  %.141.i = add nuw nsw i64 %.70.i.0833, 1
  %.168.i680 = getelementptr float, ptr %arg.scratch, i64 %.70.i.0833
  %.169.i = load float, ptr %.168.i680, align 4, !noalias !12
  %.172.i = getelementptr i8, ptr %.168.i680, i64 4096
  %.173.i = load float, ptr %.172.i, align 4, !noalias !12
  %.176.i = getelementptr i8, ptr %.168.i680, i64 8192
  %.177.i681 = load float, ptr %.176.i, align 4, !noalias !12
  %.17.i691 = fmul float %.13.i669, %.169.i
  %.19.i692 = fmul float %.16.i, %.173.i
  %.20.i693 = fadd float %.17.i691, %.19.i692
  %.25.i694 = fmul float %.19.i671, %.177.i681
  %.26.i695 = fadd float %.20.i693, %.25.i694
  %.208.i683 = getelementptr i8, ptr %.168.i680, i64 12288
  %.209.i684 = load float, ptr %.208.i683, align 4, !noalias !12
  %.211.i = fsub float %.209.i684, %.33.i673
  %.215.i685 = getelementptr i8, ptr %.168.i680, i64 16384
  %.216.i686 = load float, ptr %.215.i685, align 4, !noalias !12
  %.218.i687 = fsub float %.35.i675, %.216.i686
  %.12.i23.i = fcmp olt float %.169.i, %.173.i
  %arg.first.arg.second.i24.i = select i1 %.12.i23.i, float %.169.i, float %.173.i
  %.12.i21.i = fcmp olt float %arg.first.arg.second.i24.i, %.177.i681
  %arg.first.arg.second.i22.i = select i1 %.12.i21.i, float %arg.first.arg.second.i24.i, float %.177.i681
  %.65.i711 = fsub float %.26.i695, %arg.first.arg.second.i22.i
  %.12.i15.i = fcmp ogt float %.65.i711, 0x3E112E0BE0000000
  %arg.first.arg.second.i16.i = select i1 %.12.i15.i, float %.65.i711, float 0x3E112E0BE0000000
  %.12.i13.i = fcmp ogt float %.169.i, %.173.i
  %arg.first.arg.second.i14.i = select i1 %.12.i13.i, float %.169.i, float %.173.i
  %.12.i11.i = fcmp ogt float %arg.first.arg.second.i14.i, %.177.i681
  %arg.first.arg.second.i12.i = select i1 %.12.i11.i, float %arg.first.arg.second.i14.i, float %.177.i681
  %.138.i = fsub float %arg.first.arg.second.i12.i, %.26.i695
  %.12.i9.i = fcmp ogt float %.138.i, 0x3E112E0BE0000000
  %arg.first.arg.second.i10.i = select i1 %.12.i9.i, float %.138.i, float 0x3E112E0BE0000000
  %.164.i = fmul float %.211.i, %arg.first.arg.second.i10.i
  %.168.i715 = fmul float %.218.i687, %arg.first.arg.second.i16.i
  %.12.i19.i = fcmp olt float %.164.i, %.168.i715
  %arg.first.arg.second.i20.i = select i1 %.12.i19.i, float %.164.i, float %.168.i715
  %.193.i = fmul float %arg.first.arg.second.i16.i, %arg.first.arg.second.i10.i
  %.197.i717 = fdiv float %arg.first.arg.second.i20.i, %.193.i
  %.12.i17.i = fcmp olt float %.197.i717, %.37.i677
  %arg.first.arg.second.i18.i = select i1 %.12.i17.i, float %.197.i717, float %.37.i677
  %.12.i.i = fcmp ogt float %arg.first.arg.second.i18.i, 0.000000e+00
  %arg.first.arg.second.i.i = select i1 %.12.i.i, float %arg.first.arg.second.i18.i, float 0.000000e+00
  %.252.i690 = fsub float %.169.i, %.26.i695
  %.253.i = fmul float %.252.i690, %arg.first.arg.second.i.i
  store float %.253.i, ptr %.168.i680, align 4, !noalias !12
  %.258.i = fsub float %.177.i681, %.26.i695
  %.259.i = fmul float %.258.i, %arg.first.arg.second.i.i
  store float %.259.i, ptr %.176.i, align 4, !noalias !12
  %.128.i = icmp sgt i64 %.73.i665.0832, 1
  br i1 %.128.i, label %B200.if.i, label %B1244.preheader

B1398.preheader:                                  ; preds = %B1244.if, %B1244.preheader
  %.1306839.not = icmp slt i64 %.368, 1
  br i1 %.1306839.not, label %B322.loopexit, label %B1398.if.lr.ph

B1398.if.lr.ph:                                   ; preds = %B1398.preheader
  %16 = getelementptr i8, ptr %arg.cr, i64 %.404
  br label %B1398.if

B1530:                                            ; preds = %B272.loopexit, %entry
  store ptr null, ptr %retptr, align 8
  ret i32 0

B274.if:                                          ; preds = %B274.if.lr.ph, %B272.loopexit
  %.144.0847 = phi i64 [ 0, %B274.if.lr.ph ], [ %.216, %B272.loopexit ]
  %.216 = add nuw nsw i64 %.144.0847, 1
  %factor.op.mul.reass = mul i64 %factor.op.mul845, %.144.0847
  br i1 %.325842.not, label %B272.loopexit, label %B324.if.lr.ph

B324.if.lr.ph:                                    ; preds = %B274.if
  %.402 = mul nsw i64 %.144.0847, %.38
  %.530 = shl nsw i64 %.144.0847, 2
  %.20.i = getelementptr i64, ptr %arg.rows, i64 %.530
  %.25.i = or disjoint i64 %.530, 1
  %.26.i = getelementptr i64, ptr %arg.rows, i64 %.25.i
  %.37.i = or disjoint i64 %.530, 2
  %.38.i = getelementptr i64, ptr %arg.rows, i64 %.37.i
  %.43.i = or disjoint i64 %.530, 3
  %.44.i = getelementptr i64, ptr %arg.rows, i64 %.43.i
  %.55.i = getelementptr float, ptr %arg.weights, i64 %.530
  %.58.i = getelementptr float, ptr %arg.weights, i64 %.25.i
  %.61.i = getelementptr float, ptr %arg.weights, i64 %.37.i
  %.64.i = getelementptr float, ptr %arg.weights, i64 %.43.i
  br label %B324.if

B324.if:                                          ; preds = %B324.if.lr.ph, %B322.loopexit
  %.271.0844 = phi i64 [ %storemerge313, %B324.if.lr.ph ], [ %.334, %B322.loopexit ]
  %.268.0843 = phi i64 [ 0, %B324.if.lr.ph ], [ %.338, %B322.loopexit ]
  %.368 = sub nsw i64 %.38, %.268.0843
  %.13.i = tail call i64 @llvm.smin.i64(i64 %.368, i64 1024)
  %storemerge.i = tail call i64 @llvm.smax.i64(i64 %.13.i, i64 0)
  %.162.i750.not = icmp slt i64 %.368, 1
  br label %B422.if

B422.if:                                          ; preds = %B324.if, %B422.loopexit
  %exitcond.not = phi i1 [ false, %B324.if ], [ true, %B422.loopexit ]
  %.431.0753 = phi i64 [ 0, %B324.if ], [ 1, %B422.loopexit ]
  %.56.i = load float, ptr %.55.i, align 4, !noalias !15
  %.59.i = load float, ptr %.58.i, align 4, !noalias !15
  %.62.i = load float, ptr %.61.i, align 4, !noalias !15
  %.65.i = load float, ptr %.64.i, align 4, !noalias !15
  br i1 %.162.i750.not, label %B422.loopexit, label %B266.if.i.lr.ph

B266.if.i.lr.ph:                                  ; preds = %B422.if
  %.45.i = load i64, ptr %.44.i, align 8, !noalias !15
  %.46.i = mul nsw i64 %.45.i, %.38
  %.39.i = load i64, ptr %.38.i, align 8, !noalias !15
  %.40.i = mul nsw i64 %.39.i, %.38
  %.27.i = load i64, ptr %.26.i, align 8, !noalias !15
  %.28.i = mul nsw i64 %.27.i, %.38
  %.21.i = load i64, ptr %.20.i, align 8, !noalias !15
  %.22.i = mul nsw i64 %.21.i, %.38
  %.528 = mul nuw nsw i64 %.526, %.431.0753
  %17 = getelementptr float, ptr %arg.wide, i64 %.528
  %18 = getelementptr float, ptr %17, i64 %.22.i
  %19 = getelementptr float, ptr %18, i64 %.268.0843
  %20 = getelementptr float, ptr %17, i64 %.28.i
  %21 = getelementptr float, ptr %20, i64 %.268.0843
  %22 = getelementptr float, ptr %17, i64 %.40.i
  %23 = getelementptr float, ptr %22, i64 %.268.0843
  %24 = getelementptr float, ptr %17, i64 %.46.i
  %25 = getelementptr float, ptr %24, i64 %.268.0843
  %.idx = shl nuw nsw i64 %.431.0753, 12
  %26 = getelementptr i8, ptr %arg.scratch, i64 %.idx
  %27 = getelementptr i8, ptr %26, i64 4096
  br label %B266.if.i

B266.if.i:                                        ; preds = %B266.if.i.lr.ph, %B266.if.i
  %.107.i.0752 = phi i64 [ %storemerge.i, %B266.if.i.lr.ph ], [ %.171.i, %B266.if.i ]
  %.104.i.0751 = phi i64 [ 0, %B266.if.i.lr.ph ], [ %.175.i, %B266.if.i ]
  %.171.i = add nsw i64 %.107.i.0752, -1
  %.175.i = add nuw nsw i64 %.104.i.0751, 1
  %.203.i = getelementptr float, ptr %19, i64 %.104.i.0751
  %.204.i = load float, ptr %.203.i, align 4, !noalias !15
  %.208.i = getelementptr float, ptr %21, i64 %.104.i.0751
  %.209.i = load float, ptr %.208.i, align 4, !noalias !15
  %.213.i = getelementptr float, ptr %23, i64 %.104.i.0751
  %.214.i = load float, ptr %.213.i, align 4, !noalias !15
  %.218.i = getelementptr float, ptr %25, i64 %.104.i.0751
  %.219.i = load float, ptr %.218.i, align 4, !noalias !15
  %.21.i319 = fmul float %.56.i, %.204.i
  %.23.i = fmul float %.59.i, %.209.i
  %.24.i = fadd float %.21.i319, %.23.i
  %.26.i320 = fmul float %.62.i, %.214.i
  %.27.i321 = fadd float %.24.i, %.26.i320
  %.33.i = fmul float %.65.i, %.219.i
  %.34.i = fadd float %.27.i321, %.33.i
  %.252.i = getelementptr float, ptr %27, i64 %.104.i.0751
  store float %.34.i, ptr %.252.i, align 4, !noalias !15
  %.162.i = icmp sgt i64 %.107.i.0752, 1
  br i1 %.162.i, label %B266.if.i, label %B422.loopexit

B786.if:                                          ; preds = %B756, %B786.if
  %.726.0807 = phi i64 [ %.788, %B786.if ], [ %storemerge315, %B756 ]
  %.723.0806 = phi i64 [ %.792, %B786.if ], [ 0, %B756 ]
  %.788 = add nsw i64 %.726.0807, -1
  %.792 = add nuw nsw i64 %.723.0806, 1
  %28 = getelementptr float, ptr %arg.scratch, i64 %.723.0806
  %.819 = getelementptr i8, ptr %28, i64 20480
  %.820 = load float, ptr %.819, align 4
  %.821 = fptosi float %.820 to i64
  %.823 = add nsw i64 %.117, %.821
  %.825 = ashr i64 %.823, %.81
  %.827 = getelementptr float, ptr %arg.f_of, i64 %.825
  %.828 = load float, ptr %.827, align 4
  store float %.828, ptr %28, align 4
  %.779 = icmp sgt i64 %.726.0807, 1
  br i1 %.779, label %B786.if, label %B936.preheader

B936.if:                                          ; preds = %B936.preheader, %B936.if
  %.865.0810 = phi i64 [ %.927, %B936.if ], [ %storemerge315, %B936.preheader ]
  %.862.0809 = phi i64 [ %.931, %B936.if ], [ 0, %B936.preheader ]
  %.927 = add nsw i64 %.865.0810, -1
  %.931 = add nuw nsw i64 %.862.0809, 1
  %29 = getelementptr float, ptr %arg.scratch, i64 %.862.0809
  %.962 = getelementptr i8, ptr %29, i64 4096
  %.963 = load float, ptr %.962, align 4
  %.966 = fcmp oeq float %.963, 0.000000e+00
  %.970 = getelementptr i8, ptr %29, i64 8192
  %.971 = load float, ptr %.970, align 4
  %.974 = fcmp oeq float %.971, 0.000000e+00
  %.975 = and i1 %.966, %.974
  %. = select i1 %.975, float 0.000000e+00, float 1.000000e+00
  %.992 = getelementptr i8, ptr %29, i64 20480
  store float %., ptr %.992, align 4
  %.918 = icmp sgt i64 %.865.0810, 1
  br i1 %.918, label %B936.if, label %B1130

B1244.if:                                         ; preds = %B1244.if.lr.ph, %B1244.if
  %.1084.0837 = phi i64 [ %storemerge315, %B1244.if.lr.ph ], [ %.1146, %B1244.if ]
  %.1081.0836 = phi i64 [ 0, %B1244.if.lr.ph ], [ %.1150, %B1244.if ]
  %.1146 = add nsw i64 %.1084.0837, -1
  %.1150 = add nuw nsw i64 %.1081.0836, 1
  %30 = getelementptr float, ptr %arg.scratch, i64 %.1081.0836
  %.1177 = getelementptr i8, ptr %30, i64 8192
  %.1178 = load float, ptr %.1177, align 4
  %.1181 = getelementptr i8, ptr %30, i64 20480
  %.1182 = load float, ptr %.1181, align 4
  %.1183 = fmul float %.1178, %.1182
  %.1185 = fmul float %.105, %.1183
  %.1187 = fadd float %.96, %.1185
  %.6.i = fadd float %.1187, 5.000000e-01
  %.12.i.i722 = fcmp ogt float %.6.i, 0.000000e+00
  %arg.first.arg.second.i.i723 = select i1 %.12.i.i722, float %.6.i, float 0.000000e+00
  %.12.i2.i = fcmp olt float %arg.first.arg.second.i.i723, %.93
  %arg.first.arg.second.i3.i = select i1 %.12.i2.i, float %arg.first.arg.second.i.i723, float %.93
  %.64.i729.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i)
  %.1216 = fptoui float %.64.i729.le to i8
  %.1217 = getelementptr i8, ptr %15, i64 %.1081.0836
  store i8 %.1216, ptr %.1217, align 1
  %.1137 = icmp sgt i64 %.1084.0837, 1
  br i1 %.1137, label %B1244.if, label %B1398.preheader

B1398.if:                                         ; preds = %B1398.if.lr.ph, %B1398.if
  %.1253.0841 = phi i64 [ %storemerge315, %B1398.if.lr.ph ], [ %.1315, %B1398.if ]
  %.1250.0840 = phi i64 [ 0, %B1398.if.lr.ph ], [ %.1319, %B1398.if ]
  %.1315 = add nsw i64 %.1253.0841, -1
  %.1319 = add nuw nsw i64 %.1250.0840, 1
  %.1346 = getelementptr float, ptr %arg.scratch, i64 %.1250.0840
  %.1347 = load float, ptr %.1346, align 4
  %.1350 = getelementptr i8, ptr %.1346, i64 20480
  %.1351 = load float, ptr %.1350, align 4
  %.1352 = fmul float %.1347, %.1351
  %.1354 = fmul float %.108, %.1352
  %.1356 = fadd float %.96, %.1354
  %.6.i734 = fadd float %.1356, 5.000000e-01
  %.12.i.i735 = fcmp ogt float %.6.i734, 0.000000e+00
  %arg.first.arg.second.i.i736 = select i1 %.12.i.i735, float %.6.i734, float 0.000000e+00
  %.12.i2.i738 = fcmp olt float %arg.first.arg.second.i.i736, %.93
  %arg.first.arg.second.i3.i739 = select i1 %.12.i2.i738, float %arg.first.arg.second.i.i736, float %.93
  %.64.i745.le = tail call float @llvm.floor.f32(float %arg.first.arg.second.i3.i739)
  %.1385 = fptoui float %.64.i745.le to i8
  %.1386 = getelementptr i8, ptr %16, i64 %.1250.0840
  store i8 %.1385, ptr %.1386, align 1
  %.1306 = icmp sgt i64 %.1253.0841, 1
  br i1 %.1306, label %B1398.if, label %B322.loopexit
}

declare float @llvm.sqrt.f32(float)

declare float @llvm.floor.f32(float)

declare i64 @llvm.smin.i64(i64, i64)

declare i32 @llvm.smin.i32(i32, i32)

declare i32 @llvm.smax.i32(i32, i32)

declare i64 @llvm.smax.i64(i64, i64)

!0 = !{!1}
!1 = distinct !{!1, !2, !"numba"}
!2 = distinct !{!2, !"numba"}
!3 = !{!4}
!4 = distinct !{!4, !5, !"numba"}
!5 = distinct !{!5, !"numba"}
!6 = !{!7}
!7 = distinct !{!7, !8, !"numba"}
!8 = distinct !{!8, !"numba"}
!9 = !{!10}
!10 = distinct !{!10, !11, !"numba"}
!11 = distinct !{!11, !"numba"}
!12 = !{!13}
!13 = distinct !{!13, !14, !"numba"}
!14 = distinct !{!14, !"numba"}
!15 = !{!16}
!16 = distinct !{!16, !17, !"numba"}
!17 = distinct !{!17, !"numba"}
